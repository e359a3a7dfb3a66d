"""The routes of candles: put, listed, and what is missing of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.db import Pool, connect
from tests.support.database import START
from tests.support.serving import Api

QUARTER = timedelta(minutes=15)


def candle(place: int, **changed: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "interval": "15m", "open_time": (START + place * QUARTER).isoformat(), "open": 3e-8,
        "high": 4.123456789012345e-8, "low": 2e-8, "close": 3.5e-8, "volume": 0.0, **changed,
    }  # fmt: skip


async def put(api: Api, *candles: dict[str, Any]) -> tuple[int, Any]:
    return await api.post("/api/candles", {"candles": list(candles)})


async def test_candles_when_put_then_counted_and_told_to_those_who_wait(api: Api, pool: Pool, database: str):
    listener = await connect(database)
    heard: asyncio.Queue[str] = asyncio.Queue()
    await listener.add_listener("packages_changed", lambda *event: heard.put_nowait(event[3]))
    first = await put(api, *(candle(place) for place in range(3)))
    assert first == (200, {"received": 3, "inserted": 3, "updated": 0, "unchanged": 0})
    # The same again, one of them with other numbers, a new one, and the other forms that mean the same.
    short = {"symbol": "BTCUSDT", "interval": "900s", "open_time": "2026-03-01T14:45:00+02:00",
             "o": 1, "h": 2, "l": 1, "c": 2, "v": 3}  # fmt: skip
    second = await put(api, candle(0), candle(1), candle(2, volume=7.5), short)
    assert second == (200, {"received": 4, "inserted": 1, "updated": 1, "unchanged": 2})
    third = await put(api, candle(0))
    assert third[1]["unchanged"] == 1
    async with asyncio.timeout(10):
        assert [await heard.get(), await heard.get()] == ["", ""]
    await listener.execute("SELECT 1")
    assert heard.empty()
    await listener.close()
    # At the root as well as below /api.
    _, body = await api.get("/candles", params={"symbol": "BTCUSDT", "interval": "15m"})
    assert [one["volume"] for one in body["candles"]] == [3, 7.5, 0, 0]
    assert body["candles"][-1] == {**candle(0), "open_time": "2026-03-01T12:00:00Z", "closed": True}


FAULTS = {
    "a price of 0": ({"low": 0}, "/candles/1/low", "greater than 0"),
    "a price that is none": ({"close": None}, "/candles/1/close", "valid number"),
    "a price as text": ({"close": "3.5e-8"}, "/candles/1/close", "valid number"),
    "high below open": ({"high": 2.5e-8}, "/candles/1/high", "below open"),
    "low above open": ({"low": 3.1e-8}, "/candles/1/low", "above open"),
    "close above high": ({"close": 5e-8}, "/candles/1/close", "between low and high"),
    "negative volume": ({"volume": -1}, "/candles/1/volume", "greater than or equal to 0"),
    "no symbol": ({"symbol": ""}, "/candles/1/symbol", "at least 1 character"),
    "no such interval": ({"interval": "15 min"}, "/candles/1/interval", "pattern"),
    "longer than a day": ({"interval": "2d"}, "/candles/1/interval", "must divide a day"),
    "no part of a day": ({"interval": "7m"}, "/candles/1/interval", "must divide a day"),
    "off the grid": ({"open_time": "2026-03-01T12:07:00Z"}, "/candles/1/open_time", "start of a candle of 15m"),
    "a fraction off": ({"open_time": "2026-03-01T12:15:00.5Z"}, "/candles/1/open_time", "start of a candle of 15m"),
    "no time zone": ({"open_time": "2026-03-01T12:15:00"}, "/candles/1/open_time", "time with an offset"),
    "before 1970": ({"open_time": "1969-12-31T12:15:00Z"}, "/candles/1/open_time", "before 1970"),
    "the future": ({"open_time": "2099-03-01T12:15:00Z"}, "/candles/1/open_time", "more than one candle of 15m ahead"),
    "an unknown field": ({"trades": 3}, "/candles/1/trades", "not permitted"),
    "the same twice": (
        {"interval": "900s", "open_time": START.isoformat()},
        "/candles",
        "candles 0 and 1 are the same",
    ),
}


async def test_candles_when_one_is_wrong_then_none_is_stored_and_the_field_is_named(api: Api, pool: Pool):
    for fault, (changed, pointer, words) in FAULTS.items():
        status, body = await put(api, candle(0), candle(1, **changed), candle(2))
        assert status == 422, fault
        assert [one["pointer"] for one in body["errors"]] == [pointer], fault
        assert words in body["errors"][0]["detail"], fault
    both = await put(api, candle(0, low=0), candle(1), candle(2, interval="7m"))
    assert [one["pointer"] for one in both[1]["errors"]] == ["/candles/0/low", "/candles/2/interval"]
    assert await pool.fetchval("SELECT count(*) FROM candles") == 0


async def test_candles_when_too_many_or_none_are_put_then_refused(api: Api, pool: Pool):
    assert (await put(api))[0] == 422
    assert (await put(api, *(candle(place) for place in range(2001))))[0] == 422
    assert (await put(api, *(candle(place) for place in range(2000))))[0] == 200
    assert await pool.fetchval("SELECT count(*) FROM candles") == 2000


async def test_candles_when_two_writers_put_the_same_then_neither_waits_for_ever(api: Api):
    forth = [candle(place) for place in range(300)]
    back = [candle(place, volume=1.0) for place in reversed(range(300))]
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(put(api, *batch) for batch in (forth, back) * 4))
    assert {status for status, _ in answers} == {200}


async def test_candles_when_listed_then_newest_first_in_pages_with_the_open_one_marked(api: Api):
    now = datetime.now(UTC)
    this = now - (now - START) % QUARTER
    await put(api, *(candle(0, open_time=(this + place * QUARTER).isoformat()) for place in range(-9, 2)))
    await put(api, candle(0, symbol="ETHUSDT"), candle(0, interval="1m"))
    query: dict[str, Any] = {"symbol": "BTCUSDT", "limit": 4}
    seen: list[dict[str, Any]] = []
    while True:
        _, body = await api.get("/api/candles", params=query)
        seen += body["candles"]
        if body["next_cursor"] is None:
            break
        query["cursor"] = body["next_cursor"]
    times = [datetime.fromisoformat(one["open_time"]) for one in seen]
    assert times == [this + place * QUARTER for place in range(1, -10, -1)]
    closed = [one["closed"] for one in seen]
    assert closed == [time + QUARTER <= now for time in times] or closed[:3] == [False, True, True]
    window = {"symbol": "BTCUSDT", "from": times[5].isoformat(), "until": times[3].isoformat()}
    _, body = await api.get("/api/candles", params=window)
    assert [datetime.fromisoformat(one["open_time"]) for one in body["candles"]] == times[3:6]
    for wrong in ({"cursor": "x"}, {"limit": 1001}, {"interval": "1w"}, {"since": "2026-01-01T00:00:00Z"}):
        assert (await api.get("/api/candles", params={"symbol": "BTCUSDT", **wrong}))[0] == 422


async def test_coverage_when_candles_are_missing_then_every_gap_is_told(api: Api):
    await put(api, *(candle(place) for place in range(20) if place not in (3, 4, 10)))
    _, body = await api.get("/api/candles/coverage", params={"symbol": "BTCUSDT", "interval": "15m"})
    assert body == {
        "symbol": "BTCUSDT", "interval": "15m", "candles": 17, "first": "2026-03-01T12:00:00Z",
        "last": "2026-03-01T16:45:00Z", "missing": 3, "total_gaps": 2,
        "gaps": [
            {"from": "2026-03-01T14:30:00Z", "until": "2026-03-01T14:45:00Z", "missing": 1},
            {"from": "2026-03-01T12:45:00Z", "until": "2026-03-01T13:15:00Z", "missing": 2},
        ],
    }  # fmt: skip
    _, body = await api.get("/api/candles/coverage", params={"symbol": "nobody"})
    assert (body["candles"], body["first"], body["gaps"]) == (0, None, [])


async def test_symbols_when_listed_then_each_series_comes_once_in_pages(api: Api):
    for symbol in ("ADAUSDT", "BTCUSDT", "ETHUSDT"):
        await put(api, candle(0, symbol=symbol), candle(4, symbol=symbol), candle(8, symbol=symbol, interval="1h"))
    _, body = await api.get("/api/candles/symbols", params={"limit": 2})
    assert [(one["symbol"], one["interval"]) for one in body["series"]] == [
        ("ADAUSDT", "15m"), ("ADAUSDT", "1h"), ("BTCUSDT", "15m"), ("BTCUSDT", "1h"),
    ]  # fmt: skip
    first = body["series"][0]
    assert (first["first"], first["last"]) == ("2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z")
    _, body = await api.get("/api/candles/symbols", params={"limit": 2, "after": body["next_after"]})
    assert [one["symbol"] for one in body["series"]] == ["ETHUSDT", "ETHUSDT"]
    assert body["next_after"] is None
