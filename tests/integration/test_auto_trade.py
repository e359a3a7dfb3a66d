"""Accounts that trade by themselves: once on each closed candle, in order, also when the process is killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from prediction_service.runtime.packages.candles import Candles
from prediction_service.settings import PredictionSettings
from prediction_service.store import packages
from prediction_service.store.packages import CHANNEL
from prediction_service.usecases.package_work import work_on_packages
from prediction_service.usecases.paper_trading import mark_price
from shared.db import Connection, Pool, transaction
from shared.wakeup import Wakeup
from tests.support import live
from tests.support.database import START, insert_rows, row
from tests.support.live import until
from tests.support.package_files import tiny_package
from tests.support.paper import check_books
from tests.support.serving import Api
from tests.support.warming import add_package, ask, bars_of, child_of, ended, market, put
from tests.support.workers import worker

BEFORE = 1500
UNTIL = "SELECT traded_until FROM paper_accounts WHERE id = 'paper_tiny'"
WAITING = """
SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@asynccontextmanager
async def at_work(pool: Pool, dsn: str, settings: PredictionSettings) -> AsyncIterator[None]:
    """Do the work of packages inside the test."""
    stop = asyncio.Event()
    async with Wakeup(dsn, CHANNEL) as changes, asyncio.TaskGroup() as group:
        group.create_task(work_on_packages(pool, settings, changes, stop))
        try:
            yield
        finally:
            stop.set()


async def add_decided(pool: Pool, configured: PredictionSettings) -> Path:
    """Add a package that is never FLAT, so that each signal opens a position."""
    files = tiny_package()
    policy = {**files.manifest["policy"], "decoder": {"kind": "direction", "threshold": 1e-9}}
    decided = replace(files, manifest={**files.manifest, "policy": policy})
    return await add_package(pool, configured.packages_folder, files=decided, symbol="BTCUSDT")


async def trade_alone(api: Api, symbol: str = "BTCUSDT") -> None:
    """Have the account of the package trade by itself: each signal opens, and nothing but a flip ends it."""
    body = {
        "auto_trade": True, "symbol": symbol, "min_confidence": 0, "stop_loss_pct": 100, "take_profit_pct": 1000,
        "leverage": 1, "max_positions": 50, "size_pct": 1, "max_exposure_pct": 100,
    }  # fmt: skip
    status, answer = await api.call("PATCH", "/api/paper/account/tiny", json=body)
    assert status == 200, answer


def closes(rows: Candles) -> list[datetime]:
    return [datetime.fromtimestamp(int(one) / 1e6, UTC) for one in rows.close_time]


async def opened(connection: Connection) -> list[datetime]:
    """Give when positions were opened automatically."""
    found = await connection.fetch("SELECT opened_at FROM paper_positions WHERE opened_by = 'auto' ORDER BY id")
    return [row["opened_at"] for row in found]


@pytest.fixture
def rows() -> Candles:
    """Give 1500 candles and eight more, which closed long ago: a market that is replayed."""
    return market(BEFORE + 8, ends=datetime.now(UTC) - timedelta(days=30))


async def test_auto_trade_when_candles_are_replayed_then_each_is_acted_on_once_at_its_close(
    api: Api, pool: Pool, connection: Connection, database: str, configured: PredictionSettings, rows: Candles
):
    await add_decided(pool, configured)
    bars, closed = bars_of(rows), closes(rows)
    await put(pool, bars[:BEFORE])
    assert (await ask(api))[0] == 200
    await trade_alone(api)
    async with at_work(pool, database, configured):
        await until(connection, UNTIL, expected=closed[BEFORE - 1])
        for place in range(BEFORE, BEFORE + 4):
            await put(pool, bars[place : place + 1])
            await until(connection, UNTIL, expected=closed[place])
        # Written anew, a candle is no new one.
        await put(pool, bars[: BEFORE + 4])
        await put(pool, bars[BEFORE + 4 : BEFORE + 5])
        await until(connection, UNTIL, expected=closed[BEFORE + 4])
    assert await opened(connection) == closed[BEFORE - 1 : BEFORE + 5]
    entries = {at: float(price) for at, price in zip(closed, rows.close, strict=True)}
    for one in await connection.fetch("SELECT opened_at, entry_price FROM paper_positions"):
        assert one["entry_price"] == entries[one["opened_at"]]
    await check_books(pool)


async def test_auto_trade_when_candles_were_missed_then_they_end_positions_and_only_the_newest_opens_one(
    api: Api, pool: Pool, connection: Connection, database: str, configured: PredictionSettings, rows: Candles
):
    await add_decided(pool, configured)
    bars, closed = bars_of(rows), closes(rows)
    await put(pool, bars[:BEFORE])
    assert (await ask(api))[0] == 200
    await trade_alone(api)
    async with at_work(pool, database, configured):
        await until(connection, UNTIL, expected=closed[BEFORE - 1])
    by_hand = {
        "model_id": "tiny", "symbol": "BTCUSDT", "side": "LONG", "price": bars[BEFORE - 1].close,
        "timestamp": closed[BEFORE - 1].isoformat(),
    }  # fmt: skip
    status, _ = await api.call("PATCH", "/api/paper/account/tiny", json={"stop_loss_pct": 0.01})
    assert status == 200
    status, mine = await api.post("/api/paper/position/open", by_hand)
    assert status in (200, 201), mine
    await put(pool, bars[BEFORE : BEFORE + 4])
    async with at_work(pool, database, configured):
        await until(connection, UNTIL, expected=closed[BEFORE + 3])
    assert await opened(connection) == [closed[BEFORE - 1], closed[BEFORE + 3]]
    ended_at, reason = await connection.fetchrow(
        "SELECT closed_at, close_reason FROM paper_positions WHERE id = $1", mine["id"]
    )
    assert (ended_at, reason) == (closed[BEFORE], "SL")
    await check_books(pool)


async def told(pool: Pool, at: datetime, price: float) -> None:
    """Tell the account a price: its clock stands there."""
    await pool.execute("UPDATE paper_accounts SET clock = NULL")
    await mark_price(pool, symbol="BTCUSDT", price=price, at=at)


async def test_auto_trade_when_the_clock_is_ahead_of_a_candle_then_it_is_traded_within_an_interval_and_told_beyond(
    api: Api, pool: Pool, connection: Connection, database: str, configured: PredictionSettings, rows: Candles
):
    await add_decided(pool, configured)
    bars, closed = bars_of(rows), closes(rows)
    await put(pool, bars[:BEFORE])
    assert (await ask(api))[0] == 200
    await trade_alone(api)
    trouble = "SELECT trouble FROM paper_accounts"
    async with at_work(pool, database, configured):
        await until(connection, UNTIL, expected=closed[BEFORE - 1])
        # A tick of two seconds after the close has come before the candle.
        clock = closed[BEFORE] + timedelta(seconds=2)
        await told(pool, clock, bars[BEFORE].close)
        await put(pool, bars[BEFORE : BEFORE + 1])
        await until(connection, UNTIL, expected=closed[BEFORE])
        assert await connection.fetchval("SELECT clock FROM paper_accounts") == clock
        assert await opened(connection) == closed[BEFORE - 1 : BEFORE + 1]
        # Another one long after the close; the last candle before that ends what it would have ended.
        await connection.execute("UPDATE paper_positions SET stop_loss_pct = 0.01, take_profit_pct = 0.01")
        await connection.execute("UPDATE paper_accounts SET clock = now()")
        valued = "SELECT DISTINCT current_price FROM paper_positions WHERE status = 'OPEN'"
        await put(pool, bars[BEFORE + 1 : BEFORE + 2])
        await until(connection, UNTIL, expected=closed[BEFORE + 1])
        words = await connection.fetchval(trouble)
        assert "closed before the account's clock" in words
        assert "POST /paper/account/tiny/reset" in words
        assert await opened(connection) == closed[BEFORE - 1 : BEFORE + 1]
        assert await connection.fetch(valued) == []
        await api.post("/api/paper/account/tiny/reset")
        await until(connection, UNTIL, expected=closed[BEFORE + 1])
        await put(pool, bars[BEFORE + 2 : BEFORE + 3])
        await until(connection, UNTIL, expected=closed[BEFORE + 2])
    assert await connection.fetchval(trouble) is None
    assert (await opened(connection))[-1] == closed[BEFORE + 2]
    await check_books(pool)


async def test_auto_trade_when_a_candle_cannot_be_then_it_alone_is_passed_over(
    api: Api, pool: Pool, connection: Connection, database: str, configured: PredictionSettings, rows: Candles
):
    await add_decided(pool, configured)
    bars, closed = bars_of(rows), closes(rows)
    await put(pool, bars[:BEFORE])
    assert (await ask(api))[0] == 200
    await trade_alone(api)
    async with at_work(pool, database, configured):
        await until(connection, UNTIL, expected=closed[BEFORE - 1])
    ended_by = "SELECT close_reason, closed_at FROM paper_positions ORDER BY id LIMIT 1"
    await connection.execute("UPDATE paper_positions SET stop_loss_pct = 50")
    # One that no account could pay for, and one that goes through every stop.
    wrong = replace(bars[BEFORE], open=1e300, high=1e300, close=1e300)
    await put(pool, [wrong, replace(bars[BEFORE + 1], low=1e-3, high=1e9), bars[BEFORE + 2]])
    async with at_work(pool, database, configured):
        await until(connection, UNTIL, expected=closed[BEFORE + 2])
    assert tuple(await connection.fetchrow(ended_by)) == ("SL", closed[BEFORE + 1])


async def test_auto_trade_when_the_package_cannot_answer_then_the_account_says_why_and_goes_on(
    api: Api, pool: Pool, connection: Connection, database: str, configured: PredictionSettings, rows: Candles
):
    place = await add_decided(pool, configured)
    bars, closed = bars_of(rows), closes(rows)
    await trade_alone(api)
    trouble = "SELECT trouble FROM paper_accounts"
    async with at_work(pool, database, configured):
        words = "it waits for a closed candle of BTCUSDT 15m: there is none"
        await until(connection, trouble, expected=words)
        await put(pool, bars[:10])
        await until(connection, UNTIL, expected=closed[9])
        assert "have 10 of 1500 candles" in await connection.fetchval(trouble)
        await put(pool, bars[10:BEFORE])
        await until(connection, "SELECT warmup_status FROM model_packages", expected="DONE")
        await put(pool, bars[BEFORE : BEFORE + 1])
        await until(connection, UNTIL, expected=closed[BEFORE])
        assert await connection.fetchval(trouble) is None
        async with transaction(pool) as changing:
            await packages.archive(changing, "tiny")
        await put(pool, bars[BEFORE + 1 : BEFORE + 2])
        await until(connection, UNTIL, expected=closed[BEFORE + 1])
        assert "is archived" in await connection.fetchval(trouble)
        await api.call("PATCH", "/api/paper/account/tiny", json={"auto_trade": False})
        await put(pool, bars[BEFORE + 2 : BEFORE + 3])
        await asyncio.sleep(1.5)
        assert await connection.fetchval(UNTIL) == closed[BEFORE + 1]
    assert place.is_dir()
    await check_books(pool)


async def test_auto_trade_when_the_process_is_killed_in_the_middle_then_no_candle_is_acted_on_twice(
    api: Api, pool: Pool, connection: Connection, database: str, configured: PredictionSettings, tmp_path: Path,
    rows: Candles, monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    # Behind whatever else runs, the process of packages is slow to start.
    monkeypatch.setattr(live, "PATIENCE_SECONDS", 90)
    await add_decided(pool, configured)
    bars, closed = bars_of(rows), closes(rows)
    await put(pool, bars[:BEFORE])
    assert (await ask(api))[0] == 200
    await trade_alone(api)
    with worker(database, tmp_path) as process:
        await until(connection, UNTIL, expected=closed[BEFORE - 1])
        first = child_of(process.pid)
        assert first is not None
        async with pool.acquire() as holder:
            held = holder.transaction()
            await held.start()
            await holder.execute("SELECT FROM paper_accounts FOR UPDATE")
            await put(pool, bars[BEFORE : BEFORE + 1])
            await until(connection, WAITING, expected=True)
            os.kill(first.pid, signal.SIGKILL)
            await ended(first)
            await held.rollback()
        await until(connection, UNTIL, expected=closed[BEFORE])
        await put(pool, bars[BEFORE + 1 : BEFORE + 2])
        await until(connection, UNTIL, expected=closed[BEFORE + 1])
    assert await opened(connection) == closed[BEFORE - 1 : BEFORE + 2]
    await check_books(pool)


async def test_auto_trade_when_the_market_is_a_coin_then_its_intervals_are_acted_on_by_the_recording_clock(
    api: Api, pool: Pool, connection: Connection, database: str, configured: PredictionSettings
):
    await add_package(pool, configured.packages_folder, interval_seconds=60, source="coin_metrics", symbol="mint")
    price = 3e-8 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 520)))
    rows = [row("mint", 180 * n + 5, price_close=float(price[n])) for n in range(520)]
    await insert_rows(connection, rows[:510])
    await trade_alone(api, symbol="mint")
    async with at_work(pool, database, configured):
        # The newest row is in an interval that has not ended.
        await until(connection, UNTIL, expected=START + timedelta(minutes=3 * 509))
        await until(connection, "SELECT warmup_status FROM model_packages", expected="DONE")
        await insert_rows(connection, rows[510:])
        await until(connection, UNTIL, expected=START + timedelta(minutes=3 * 519))
    assert await connection.fetchval("SELECT trouble FROM paper_accounts") is None
    # Thirty candles of a minute, of which the history keeps one in 15.
    marked = (
        "SELECT count(DISTINCT recorded_at) FROM paper_equity_history WHERE reason <> 'CREATE' AND recorded_at > $1"
    )
    assert await connection.fetchval(marked, START + timedelta(minutes=3 * 509)) == 2
