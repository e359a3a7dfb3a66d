"""Candles of exchanges: what is missing is fetched, each closed one follows, and one that lies disturbs no other."""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from prediction_service.app import build
from prediction_service.clients import exchange as client
from prediction_service.clients.exchange import Exchange, check_feeds
from prediction_service.settings import PredictionSettings
from prediction_service.store import candle_feeds
from prediction_service.store.candle_feeds import FeedState
from prediction_service.usecases import feeds
from prediction_service.usecases.candles import closed_candles
from prediction_service.usecases.feeds import follow_feeds
from prediction_service.worker import work
from shared.db import Pool
from shared.errors import SettingsInvalid, Unavailable
from shared.settings import read_settings
from tests.support.exchange import Stand, exchange, told
from tests.support.live import settings
from tests.support.serving import api_of

GOOD, BAD = "binance:BTC/USDT:1s", "binanceus:SOL/USDT:1s"


@pytest.fixture
async def good() -> AsyncIterator[Stand]:
    async with exchange() as stand:
        yield stand


@pytest.fixture
async def bad() -> AsyncIterator[Stand]:
    async with exchange() as stand:
        yield stand


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "AFTER_CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(feeds, "LONGEST_PAUSE_SECONDS", 0.3)
    # Whatever the environment says of proxies is not for feeds.
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@asynccontextmanager
async def following(pool: Pool, database: str, folder: Path, *names: str, **stands: Stand) -> AsyncIterator[None]:
    stop = asyncio.Event()

    def open_exchange(name: str, *, derivatives: bool) -> Exchange:
        return stands[name].open(name, derivatives=derivatives)

    configured = settings(database, folder, candle_feeds=names)
    task = asyncio.create_task(follow_feeds(pool, configured, stop, open_exchange=open_exchange))
    try:
        yield
        assert not task.done()
    finally:
        stop.set()
        await task


async def state(pool: Pool, feed: str) -> FeedState:
    return {one.feed: one for one in await candle_feeds.list_all(pool)}[feed]


async def until(pool: Pool, feed: str, holds: Callable[[FeedState], Any]) -> FeedState:
    async with asyncio.timeout(30):
        while True:
            known = [one for one in await candle_feeds.list_all(pool) if one.feed == feed]
            if known and holds(known[0]):
                return known[0]
            await asyncio.sleep(0.05)


async def times(pool: Pool, symbol: str) -> list[int]:
    rows = await pool.fetch("SELECT open_time FROM candles WHERE symbol = $1 ORDER BY open_time", symbol)
    return [int(row[0].timestamp()) for row in rows]


async def test_feed_when_it_starts_then_all_that_is_missing_comes_in_pages_and_each_closed_candle_follows(
    pool: Pool, database: str, tmp_path: Path, good: Stand
):
    begun = int(time.time())
    async with following(pool, database, tmp_path, GOOD, binance=good):
        first = await until(pool, GOOD, lambda one: one.last_candle)
        assert [answered for _, answered in good.asked[:2]] == [1000, pytest.approx(600, abs=5)]
        found = await closed_candles(pool, symbol="BTCUSDT", interval_seconds=1, bars=1500)
        last = int(found.open_time[-1]) // 1_000_000
        assert [found.open[-1], found.high[-1], found.low[-1], found.close[-1], found.volume[-1]] == [
            float(number) for number in told(last, 1)[1:6]
        ]
        await until(pool, GOOD, lambda one: one.last_candle > first.last_candle)
    stored = await times(pool, "BTCUSDT")
    assert stored == list(range(stored[0], stored[-1] + 1))
    assert stored[0] <= begun - 1590
    # The open one is left out.
    assert stored[-1] < time.time() - 1 + 0.001
    # Away for a while, and a hole from before: only what lacks is asked for.
    await pool.execute("DELETE FROM candles WHERE open_time > now() - interval '9 s'")
    await pool.execute("DELETE FROM candles WHERE open_time = $1", datetime.fromtimestamp(begun - 700, UTC))
    good.asked.clear()
    known = (await state(pool, GOOD)).last_candle
    async with following(pool, database, tmp_path, GOOD, binance=good):
        await until(pool, GOOD, lambda one: one.last_candle > known)
        assert min(since for since, _ in good.asked) == begun - 700
        assert all(since == begun - 700 or since > begun - 30 for since, _ in good.asked)
    stored = await times(pool, "BTCUSDT")
    assert stored == list(range(stored[0], stored[-1] + 1))


OUTAGES: dict[str, Callable[[], web.Response]] = {
    "down": lambda: web.Response(status=503, text="maintenance"),
    "no JSON": lambda: web.Response(text="<html>hello</html>"),
    "another shape": lambda: web.json_response([[[[1]]], {"symbols": 7}]),
    "an error that no text column holds": lambda: web.json_response({"code": -1, "msg": "a\0b\ud800"}, status=400),
    "an error of its own": lambda: web.json_response({"code": -1003, "msg": "Too many requests"}, status=429),
}


async def test_feed_when_an_exchange_is_out_then_it_is_told_until_it_is_back_and_no_other_waits(
    pool: Pool, database: str, tmp_path: Path, good: Stand, bad: Stand
):
    bad.answer = OUTAGES["down"]
    async with following(pool, database, tmp_path, GOOD, BAD, binance=good, binanceus=bad):
        since = (await until(pool, BAD, lambda one: one.error)).error_since
        for answer in OUTAGES.values():
            bad.answer = answer
            seen = (await state(pool, BAD)).updated_at
            found = await until(pool, BAD, lambda one, seen=seen: one.updated_at > seen)
            assert "binanceus: " in found.error
            assert found.error_since == since
        assert (await until(pool, GOOD, lambda one: one.last_candle)).error is None
        bad.answer = None
        assert (await until(pool, BAD, lambda one: one.error is None)).last_candle > since
    stored = await times(pool, "SOLUSDT")
    assert len(stored) >= 1600
    assert stored == list(range(stored[0], stored[-1] + 1))


async def test_feed_when_its_exchange_gives_too_short_a_history_then_it_says_so_until_there_is_enough(
    pool: Pool, database: str, tmp_path: Path, good: Stand
):
    good.most = 720
    async with following(pool, database, tmp_path, GOOD, binance=good):
        found = await until(pool, GOOD, lambda one: one.note)
        assert found.error is None
        assert re.search(r"binance gave only 7\d\d candles .* usually needs 1500", found.note)
    good.most = None
    async with following(pool, database, tmp_path, GOOD, binance=good):
        await until(pool, GOOD, lambda one: one.note is None)


async def test_feed_when_an_exchange_is_slow_then_it_is_given_up_until_it_answers_in_time(
    pool: Pool, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: Stand, bad: Stand
):
    monkeypatch.setattr(client, "REQUEST_SECONDS", 0.4)
    bad.delay = 2
    async with following(pool, database, tmp_path, GOOD, BAD, binance=good, binanceus=bad):
        assert "RequestTimeout" in (await until(pool, BAD, lambda one: one.error)).error
        assert (await until(pool, GOOD, lambda one: one.last_candle)).error is None
        bad.delay = 0
        await until(pool, BAD, lambda one: one.error is None and one.last_candle)


def _lies(rows: list[Any]) -> list[Any]:
    for place, change in enumerate(((0, 500), (1, "NaN"), (2, "0"), (4, None), (5, "-1"), (0, 10**12))):
        if place < len(rows):
            column, value = change
            rows[place][column] = rows[place][column] + value if column == 0 else value
    return rows


async def test_feed_when_an_exchange_lies_then_what_cannot_be_is_left_out_and_told(
    pool: Pool, database: str, tmp_path: Path, bad: Stand
):
    bad.spoil = _lies
    async with following(pool, database, tmp_path, BAD, binanceus=bad):
        found = await until(pool, BAD, lambda one: one.error)
        assert "candles were left out: a candle " in found.error
        stored = await times(pool, "SOLUSDT")
        # Two pages, of which six candles each were spoiled.
        assert len(stored) in range(1586, 1592)
        assert max(stored) < time.time()
        bad.spoil = lambda rows: {"rows": rows}
        await until(pool, BAD, lambda one: "binanceus" in one.error and "left out" not in one.error)
        bad.spoil = None
        await until(pool, BAD, lambda one: one.error is None)


async def test_feed_when_the_exchange_never_had_some_candles_then_the_gap_stays_and_is_asked_for_once(
    pool: Pool, database: str, tmp_path: Path, good: Stand
):
    gone = int(time.time()) - 800
    good.lacks = {gone, gone + 1}
    async with following(pool, database, tmp_path, GOOD, binance=good):
        first = await until(pool, GOOD, lambda one: one.last_candle)
        assert first.error is None
        later = await until(pool, GOOD, lambda one: one.last_candle > first.last_candle)
        await until(pool, GOOD, lambda one: one.last_candle > later.last_candle)
        assert sum(since == gone for since, _ in good.asked) <= 1
    assert gone not in await times(pool, "BTCUSDT")


WRONG = {
    "binance": "is no feed",
    "binance:BTCUSDT:15m": "is no feed",
    "binance:BTC/USDT": "is no feed",
    "binance:BTC/USDT:7m": "'7m' is no interval",
    "binance:BTC/USDT:15m,kraken:BTC/USDT:900s": "both bring BTCUSDT 15m: leave one out",
    "../x:BTC/USDT:15m": "is no feed",
}


@pytest.mark.parametrize("value", WRONG)
def test_settings_when_feeds_are_wrong_then_one_line_says_so(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("CANDLE_FEEDS", value)
    with pytest.raises(SettingsInvalid, match=WRONG[value]) as raised:
        read_settings(PredictionSettings)
    assert "\n" not in raised.value.message


def test_feeds_when_ccxt_lacks_the_exchange_or_is_not_there_then_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    configured = settings("", tmp_path, candle_feeds=["mtgox:BTC/USD:15m"])
    with pytest.raises(SettingsInvalid, match="ccxt knows no exchange 'mtgox'"):
        check_feeds(configured.feeds)
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(Unavailable, match=r"pip install 'pumpcast\[feeds\]'"):
        check_feeds(configured.feeds)
    check_feeds(())


async def test_worker_when_a_feed_is_of_an_unknown_exchange_then_it_does_not_start(tmp_path: Path):
    configured = settings("postgresql://nobody@nowhere/none", tmp_path, candle_feeds=["mtgox:BTC/USD:15m"])
    with pytest.raises(SettingsInvalid, match="'mtgox'"):
        await work(configured, asyncio.Event())


async def test_feeds_when_listed_then_each_of_the_settings_comes_with_its_state(
    pool: Pool, configured: PredictionSettings
):
    chosen = configured.model_copy(update={"candle_feeds": (GOOD, "kraken:ETH/USD:15m")})
    await candle_feeds.begin(pool, [(GOOD, "BTCUSDT", "1s"), ("old:A/B:1m", "AB", "1m")])
    await candle_feeds.note_failure(pool, GOOD, error="binance: gone")
    async with api_of(build(chosen)) as api:
        _, body = await api.get("/api/candles/feeds")
    first, second = body["feeds"]
    assert (first["feed"], first["symbol"], first["error"]) == (GOOD, "BTCUSDT", "binance: gone")
    assert first["error_since"] is not None
    assert second == {
        "feed": "kraken:ETH/USD:15m", "symbol": "ETHUSD", "interval": "15m", "last_candle": None, "error": None,
        "error_since": None, "note": None, "updated_at": None,
    }  # fmt: skip
