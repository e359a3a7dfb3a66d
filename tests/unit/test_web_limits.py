"""How often one may ask: by key, else by address; what an answer says of it; how much of it is remembered."""

import hashlib
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from shared.web import limits
from shared.web.keys import find_key, parse_keys
from shared.web.limits import RateLimits, Windows
from tests.support.serving import served
from tests.unit.test_web_guards import KEYS, SECRETS, app_of, ask

PER_MINUTE = 3
READ = {"X-API-Key": SECRETS["read"]}
WRONG = {"X-API-Key": "wrong"}


@pytest.fixture
async def limited(database: str, tmp_path: Path) -> AsyncIterator[str]:
    """Give the address of an API that answers each key three times a minute."""
    async with served(app_of(database, tmp_path, api_keys=KEYS, rate_limit_per_minute=PER_MINUTE)) as found:
        yield found


async def test_key_when_it_asks_too_often_then_429_until_the_minute_is_over_while_others_go_on(limited: str):
    told = [(await ask(limited, headers=READ))[2]["RateLimit"] for _ in range(PER_MINUTE)]
    assert [one.partition(";t=")[0] for one in told] == [f'"key";r={left}' for left in (2, 1, 0)]
    status, body, headers = await ask(limited, headers=READ)
    assert (status, body["code"]) == (429, "too_often")
    assert 0 < int(headers["Retry-After"]) <= 60
    assert headers["RateLimit-Policy"] == '"key";q=3;w=60'
    assert headers["RateLimit"] == f'"key";r=0;t={headers["Retry-After"]}'
    assert (await ask(limited, headers={"X-API-Key": SECRETS["write"]}))[0] == 200


async def test_address_when_it_guesses_then_even_a_right_key_is_not_told_apart_unless_it_was_used_there(limited: str):
    assert (await ask(limited, headers=READ))[0] == 200
    assert [(await ask(limited, headers=WRONG))[0] for _ in range(PER_MINUTE + 1)] == [401, 401, 401, 429]
    status, body, headers = await ask(limited, headers={"X-API-Key": SECRETS["write"]})
    assert (status, body["code"]) == (429, "too_often")
    assert headers["RateLimit-Policy"] == '"address";q=3;w=60'
    assert (await ask(limited, headers=READ))[0] == 200


async def test_liveness_when_asked_often_then_it_is_not_counted(limited: str):
    for _ in range(PER_MINUTE + 2):
        status, _, headers = await ask(limited, path="/health/live")
        assert status == 200
        assert "RateLimit" not in headers


async def test_address_when_a_client_names_another_one_then_it_is_not_believed(limited: str):
    for number in range(PER_MINUTE):
        await ask(limited, headers={**WRONG, "X-Forwarded-For": f"192.0.2.{number}"})
    assert (await ask(limited, headers={**WRONG, "X-Forwarded-For": "192.0.2.9"}))[0] == 429


async def test_request_when_there_are_no_keys_then_nothing_is_counted(tmp_path: Path):
    async with served(app_of("", tmp_path, rate_limit_per_minute=1), lifespan="off") as address:
        for _ in range(3):
            status, _, headers = await ask(address)
            assert status == 200
            assert "RateLimit" not in headers


async def test_request_when_a_proxy_brings_it_from_elsewhere_while_there_are_no_keys_then_403(tmp_path: Path):
    async with served(app_of("", tmp_path), lifespan="off") as address:
        for passed_on in ({"X-Forwarded-For": "127.0.0.1, 192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}):
            status, body, _ = await ask(address, headers=passed_on)
            assert (status, body["code"]) == (403, "proxy_without_keys")
        assert (await ask(address, headers={"X-Forwarded-For": "127.0.0.1"}))[0] == 200


async def test_metrics_when_a_proxy_of_this_machine_asks_for_somebody_then_a_key_is_needed(
    database: str, tmp_path: Path
):
    async with served(app_of(database, tmp_path, api_keys=KEYS, allowed_hosts="api.example")) as address:
        assert (await ask(address, path="/metrics"))[0] == 200
        for passed_on in ({"X-Forwarded-For": "192.0.2.1"}, {"Host": "api.example"}):
            assert (await ask(address, path="/metrics", headers=passed_on))[0] == 401


def test_minute_when_it_is_over_then_counting_begins_anew():
    now = [100.0]
    counted = RateLimits(2, keys=1, clock=lambda: now[0])
    assert [counted.count_key("a").is_over for _ in range(3)] == [False, False, True]
    now[0] += 59.5
    assert (counted.count_key("a").is_over, counted.count_key("a").reset_seconds) == (True, 1)
    now[0] += 0.5
    assert (counted.count_key("a").is_over, counted.count_key("a").remaining) == (False, 0)


def test_addresses_when_there_are_very_many_then_few_are_remembered_and_no_key_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(limits, "MOST_ADDRESSES", 100)
    monkeypatch.setattr(limits, "MOST_ACQUAINTANCES", 100)
    counted = RateLimits(5, keys=1)
    counted.count_key("a")
    for number in range(1000):
        address = str(ipaddress.IPv4Address(number))
        assert counted.may_try("a", address)
        counted.count_address(address)
    assert len(counted._addresses.storage) == 100
    assert len(counted._acquainted) == 100
    assert counted.count_key("a").remaining == 3


def test_windows_when_they_are_over_then_they_are_forgotten():
    now = [0.0]
    windows = Windows(100, clock=lambda: now[0])
    for number in range(50):
        windows.incr(str(number), 60)
    now[0] = 60.0
    windows.incr("new", 60)
    assert (len(windows), windows.get("49"), windows.get("new")) == (1, 0, 1)


def test_key_when_two_entries_have_its_name_then_both_are_found_and_no_third():
    entries = tuple(f"desk:read:{hashlib.sha256(secret).hexdigest()}" for secret in (b"old", b"new"))
    keys = parse_keys(entries)
    for shown, name in (("old", "desk"), ("new", "desk"), ("other", None), ("", None)):
        found = find_key(keys, Headers({"Authorization": f"bearer {shown}"}))
        assert (found.name if found else None) == name
