"""Logins and tickets: how long they are good for, and which goes first."""

import pytest

from streamlit_ui.logins import IDLE_SECONDS, LONGEST_SECONDS, TICKET_SECONDS, Logins

KEY = "the-key-of-somebody"


def test_logins_when_idle_or_taken_twice_then_over():
    now = [0.0]
    logins = Logins(clock=lambda: now[0])
    token = logins.enter(KEY)
    ticket, late = logins.ticket(token), logins.ticket(token)
    assert logins.is_open(ticket)
    assert logins.take(ticket) == token
    assert logins.take(ticket) is None
    assert not logins.is_open(ticket)
    now[0] = TICKET_SECONDS + 1
    assert logins.take(late) is None
    for _ in range(2):
        assert logins.key(token) == KEY
        now[0] += IDLE_SECONDS
        assert logins.key(token) == KEY
    now[0] += IDLE_SECONDS + 1
    assert logins.key(token) == ""


def test_logins_when_used_for_days_on_end_then_over_all_the_same():
    now = [0.0]
    logins = Logins(clock=lambda: now[0])
    token = logins.enter(KEY)
    while now[0] + IDLE_SECONDS <= LONGEST_SECONDS:
        now[0] += IDLE_SECONDS
        assert logins.key(token) == KEY
    now[0] += IDLE_SECONDS / 2
    assert logins.key(token) == ""


def test_logins_when_there_are_too_many_then_the_one_used_least_lately_ends(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    logins = Logins(clock=lambda: now[0])
    monkeypatch.setattr("streamlit_ui.logins.MOST_LOGINS", 3)
    tokens = []
    for now[0] in (1.0, 2.0, 3.0):
        tokens.append(logins.enter(KEY))
    assert logins.key(tokens[0]) == KEY
    last = logins.enter(KEY)
    assert [bool(logins.key(one)) for one in (*tokens, last)] == [True, False, True, True]
