"""The market on a stage: hours of rows and candles that are there, and later rows that come as if live."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pumpcast.market.candle_feed import feed_candles
from pumpcast.market.files import FileRows
from pumpcast.market.load import load
from pumpcast.market.replay import in_range, replay
from pumpcast.market.simulate import simulate_history
from shared.db import Pool, open_pool

SEED: Final = 7
CANDLES: Final = 1600
"""Enough for what a package looks back on."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """A simulated market, the same for the same seed but for the day: part of it is history, the rest comes later."""

    rows: pa.Table
    now: datetime
    """Where history ends."""

    @property
    def start(self) -> datetime:
        moment: datetime = pc.min(self.rows["timestamp"]).as_py()
        return moment

    def earlier(self) -> pa.Table:
        return self.rows.filter(pc.less_equal(self.rows["timestamp"], pa.scalar(self.now)))

    def later(self, minutes_from: float = 0, minutes_to: float = 1e6) -> pa.Table:
        """Give rows that come so long after history."""
        since = self.now + timedelta(minutes=minutes_from, microseconds=1)
        end: datetime = pc.max(self.rows["timestamp"]).as_py()
        return in_range(self.rows, since=since, until=min(self.now + timedelta(minutes=minutes_to), end))


def market(*, history_minutes: int, later_minutes: int, coins_per_minute: float = 1.5) -> Market:
    """Simulate a market whose last row is of now."""
    minutes = history_minutes + later_minutes
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=minutes)
    rows = simulate_history(seed=SEED, start=start, minutes=minutes, coins_per_minute=coins_per_minute)
    return Market(rows=rows, now=start + timedelta(minutes=history_minutes))


def load_history(dsn: str, market: Market, *, bars: int = CANDLES) -> None:
    """Let there be the earlier rows, and candles up to now."""

    async def run(pool: Pool) -> None:
        await load(pool, FileRows(table="coin_metrics", rows=market.earlier(), ignored=()))
        await feed_candles(pool, stop=asyncio.Event(), bars=bars, seed=SEED, only_fill=True)

    _with_pool(dsn, run)


def go_on(dsn: str, rows: pa.Table, *, speed: float = 0) -> int:
    """Insert rows tick by tick as a tracker does, without pauses where `speed` is 0; give how many."""

    async def run(pool: Pool) -> int:
        return (await replay(pool, rows, speed=speed, keep_time=True)).rows

    return _with_pool(dsn, run)


def _with_pool(dsn: str, run: Any) -> Any:
    async def work() -> Any:
        pool = await open_pool(dsn, application="tests")
        try:
            return await run(pool)
        finally:
            await pool.close()

    return in_own_thread(work())


def in_own_thread(work: Coroutine[Any, Any, Result]) -> Result:
    """Run something asynchronous to its end: beside Playwright, whose own loop runs in the calling thread."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()
