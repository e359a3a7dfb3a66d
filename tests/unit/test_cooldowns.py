"""Cooldowns: what a model sends about a coin, and how far apart."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prediction_service.store.deliveries import NewDelivery
from prediction_service.usecases import cooldowns as module
from prediction_service.usecases.cooldowns import Cooldowns
from prediction_service.usecases.deliveries import RowPredictions, deliveries_for
from shared.contracts.webhook import PredictionMessage
from tests.support.messages import NOW, active, endpoint, row, said

PAUSED = active(1, cooldown_alert_seconds=60, cooldown_positive_seconds=30)
FREE = active(2)


def at(seconds: float, *predictions: Any, **changes: Any) -> RowPredictions:
    return row(*predictions, timestamp=NOW + timedelta(seconds=seconds), **changes)


def send(known: Cooldowns, rows: Sequence[RowPredictions], **changes: Any) -> list[NewDelivery]:
    """Send a batch and commit it."""
    batch = known.batch()
    found = deliveries_for([endpoint(**changes)], rows, now=NOW, cooldowns=batch)
    known.keep(batch)
    return found


def seconds_of(found: Sequence[NewDelivery]) -> list[float]:
    return [(one.data_timestamp - NOW).total_seconds() for one in found if one.data_timestamp]


def known(**sent: float) -> Cooldowns:
    return Cooldowns(
        {1: PAUSED, 2: FREE},
        {(1, "coin", kind): NOW + timedelta(seconds=seconds) for kind, seconds in sent.items()},
    )


def test_alert_when_within_the_pause_then_not_sent_and_when_it_is_over_then_sent():
    alerts = [at(seconds, said(PAUSED, 0.9)) for seconds in (0, 1, 59.9, 60, 119, 121)]
    assert seconds_of(send(known(), alerts)) == [0, 60, 121]


def test_kinds_when_mixed_then_each_has_its_own_pause():
    rows = [at(0, said(PAUSED, 0.9)), at(1, said(PAUSED, 0.4)), at(2, said(PAUSED, 0.1)), at(3, said(PAUSED, 0.1)),
            at(20, said(PAUSED, 0.9)), at(30, said(PAUSED, 0.4)), at(31, said(PAUSED, 0.4))]  # fmt: skip
    # 0.9 is an alert, 0.4 positive, 0.1 negative and without a pause.
    assert seconds_of(send(known(), rows)) == [0, 1, 2, 3, 31]


def test_coins_when_several_then_each_has_its_own_pause():
    rows = [at(seconds, said(PAUSED, 0.9), coin_id=coin) for seconds in (0, 10) for coin in ("a", "b")]
    found = send(known(), rows)
    assert [one.coin_id for one in found] == ["a", "b"]
    assert seconds_of(found) == [0, 0]


def test_message_when_another_model_makes_it_due_then_it_still_holds_the_one_that_pauses():
    (found,) = send(known(alert=0), [at(5, said(PAUSED, 0.9), said(FREE, 0.9))])
    body = PredictionMessage.model_validate_json(found.body)
    assert [one.model.active_model_id for one in body.data.predictions] == [1, 2]
    assert send(known(alert=0), [at(5, said(PAUSED, 0.9), said(FREE, 0.9))], active_model_ids=frozenset({1})) == []


def test_prediction_when_it_did_not_make_the_message_due_then_its_pause_does_not_start():
    stand = known()
    shown = at(0, said(PAUSED, 0.4), said(FREE, 0.9))
    assert len(send(stand, [shown], send_modes=frozenset({"alerts_only"}))) == 1
    assert len(send(stand, [at(1, said(PAUSED, 0.4))])) == 1


def test_row_when_too_old_to_be_sent_after_an_outage_then_no_pause_starts():
    stand = known()
    old = at(-7200, said(PAUSED, 0.9), caught_up_late=True)
    assert send(stand, [old]) == []
    assert len(send(stand, [at(-7190, said(PAUSED, 0.9))])) == 1


def test_row_when_late_then_it_is_within_the_pause_of_what_was_sent_after_it():
    assert send(known(alert=100), [at(10, said(PAUSED, 0.9))]) == []


def test_batch_when_not_committed_then_nothing_of_it_counts():
    stand = known()
    assert len(deliveries_for([endpoint()], [at(0, said(PAUSED, 0.9))], now=NOW, cooldowns=stand.batch())) == 1
    assert len(send(stand, [at(1, said(PAUSED, 0.9))])) == 1
    assert send(stand, [at(2, said(PAUSED, 0.9))]) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from("ab"), st.sampled_from([0.1, 0.4, 0.9])), max_size=40,
        unique_by=lambda one: one[:2],
    ),
    st.lists(st.integers(1, 8), min_size=1, max_size=8),
    st.integers(0, 20),
)  # fmt: skip
def test_rows_when_they_come_in_batches_of_any_size_then_the_same_are_sent_each_pause_apart(
    given_rows: list[tuple[int, str, float]], sizes: list[int], pause: int
):
    model = active(1, cooldown_alert_seconds=pause, cooldown_negative_seconds=2 * pause)
    rows = [at(second, said(model, probability), coin_id=coin) for second, coin, probability in sorted(given_rows)]
    one_by_one, in_batches = Cooldowns({1: model}), Cooldowns({1: model})
    alone = [one for single in rows for one in send(one_by_one, [single])]
    together: list[NewDelivery] = []
    start, turn = 0, 0
    while start < len(rows):
        size = sizes[turn % len(sizes)]
        # Whatever order the rows of a batch have.
        together += send(in_batches, rows[start : start + size][::-1])
        start, turn = start + size, turn + 1
    assert {one.webhook_id for one in together} == {one.webhook_id for one in alone}
    for coin in "ab":
        for probability, apart in ((0.9, pause), (0.1, 2 * pause), (0.4, 0)):
            sent = {one.data_timestamp for one in alone}
            times = [r.timestamp for r in rows if (r.coin_id, r.predictions[0].probability) == (coin, probability)]
            told = [time for time in times if time in sent and _is_told(alone, coin, time)]
            assert all((later - earlier).total_seconds() >= apart for earlier, later in pairwise(told))
            assert told[:1] == times[:1]


def _is_told(found: Sequence[NewDelivery], coin: str, time: Any) -> bool:
    return any((one.coin_id, one.data_timestamp) == (coin, time) for one in found)


def test_memory_when_coins_come_and_go_then_it_forgets_those_whose_pause_is_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROOM", 100)
    stand = known()
    for second in range(2000):
        send(stand, [at(second, said(PAUSED, 0.9), coin_id=f"coin {second}")])
        assert len(stand) <= 200
    assert send(stand, [at(2000, said(PAUSED, 0.9), coin_id="coin 1990")]) == []
