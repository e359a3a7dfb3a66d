"""A running worker, its stream and its books: latency of a stretch, the highest rate it follows."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from statistics import median

import psutil

from benchmarks.live_feed import Feed, Sent
from benchmarks.live_models import MODELS
from shared.db import Connection, Queries

PATIENCE_SECONDS = 60.0
WARM_UP_SECONDS = 3.0
FLOOD_SECONDS = 10.0
WHOLE_SECONDS = 300.0
FLOOD_ROWS = 300_000
FLOOD_BEHIND = 12_000
HOLD_SECONDS = 20.0
SAMPLED = 20
"""At high rates every so manieth row is enough."""
TICKS = 50
"""Transactions a second while the highest rate is sought."""
# Of what the worker took when it always found rows waiting.
HOLD_SHARES = (0.97, 0.9, 0.8, 0.65)
# In a stretch that is held the lag rises by no more than this in ten seconds, and never is longer than the limit.
LAG_GROWTH_SECONDS = 0.1
LAG_LIMIT_SECONDS = 1.0

queries = Queries.beside(__file__)
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long the rows of a stretch waited for their predictions."""

    rate: float
    """Rows a second."""
    transactions_per_second: int
    seconds: float
    p50_ms: float
    p99_ms: float
    highest_ms: float
    pairs: int
    """Pairs of row and prediction that were looked at."""
    cores: float
    """Processor time of the worker per second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The highest offered rate that the worker followed."""

    flood_rate: float
    """Rows a second while the worker always found some thousands waiting."""
    latency: Latency
    bounded: bool
    """False when none of the rates that were tried was followed: the machine was busy with something else."""
    highest_lag_seconds: float
    """The longest that the worker was behind: rows waiting divided by the rate."""
    lost: int
    """Predictions of the whole run that are owed and not there."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """One worker under one stream."""

    feed: Feed
    connection: Connection
    """For questions; the stream has its own."""
    worker: psutil.Process
    position: str = "position"
    """The question how far the worker is."""
    high: int = 0
    """How far the worker was when it was last asked."""

    async def latency(self, *, rate: int, transactions_per_second: int, seconds: float, every: int = 1) -> Latency:
        """Measure a stretch of the live worker after a warm-up."""
        await self.feed.paced(rate=rate, transactions_per_second=transactions_per_second, seconds=WARM_UP_SECONDS)
        sent, used = await self.timed(rate, transactions_per_second, seconds)
        await self.drained()
        return await self.pairs(sent, transactions_per_second, used, every=every)

    async def timed(self, rate: int, transactions_per_second: int, seconds: float) -> tuple[Sent, float]:
        """Send a stretch; also give the processor time of the worker meanwhile."""
        before = self.processor_seconds()
        sent = await self.feed.paced(rate=rate, transactions_per_second=transactions_per_second, seconds=seconds)
        return sent, self.processor_seconds() - before

    async def pairs(self, sent: Sent, transactions_per_second: int, used: float, *, every: int) -> Latency:
        """Read the latency of every so manieth row of a stretch from the book of commits."""
        await self.connection.execute("ANALYZE predictions, coin_metrics")
        row = await queries.fetchrow(
            self.connection, "latency", first_id=sent.first_id, last_id=sent.last_id, every=every
        )
        assert row is not None
        return Latency(
            rate=sent.rows / sent.seconds, transactions_per_second=transactions_per_second, seconds=sent.seconds,
            p50_ms=row["p50_ms"], p99_ms=row["p99_ms"], highest_ms=row["highest_ms"], pairs=row["pairs"],
            cores=used / sent.seconds,
        )  # fmt: skip

    async def highest_rate(self, *, before: int, tell: Tell) -> Held:
        """Find the rate at which the lag stays bounded; `before` is the highest id that owes nothing."""
        tell("live: as many rows as the worker takes")
        flood = await self.flood()
        found = None
        for share in HOLD_SHARES:
            rate = int(flood * share) // TICKS * TICKS
            tell(f"live: {rate} rows/s offered; full, the worker took {flood:.0f}")
            async with self._looking() as waiting:
                sent, used = await self.timed(rate, TICKS, HOLD_SECONDS)
            await self.drained()
            lags = [rows / rate for rows in waiting]
            found = rate, sent, used, lags
            if _bounded(lags):
                break
        assert found is not None
        rate, sent, used, lags = found
        owed = (self.feed.committed - before) * len(MODELS)
        return Held(
            flood_rate=flood, latency=await self.pairs(sent, TICKS, used, every=SAMPLED), bounded=_bounded(lags),
            highest_lag_seconds=max(lags), lost=owed - await queries.fetchval(self.connection, "predictions"),
        )  # fmt: skip

    async def flood(self, *, seconds: float = FLOOD_SECONDS, rows: int = FLOOD_ROWS, most: int = FLOOD_BEHIND) -> float:
        """Give how many rows a second the worker takes while it always finds up to `most` of them waiting."""
        async with self._looking():
            sent = await self.feed.flooding(behind=self._behind, most=most, seconds=seconds, rows=rows)
            # What still waits was sent, but not yet taken.
            taken = sent.rows - self._behind()
        await self.drained()
        return taken / sent.seconds

    async def whole(self, *, rows: int, most: int) -> Sent:
        """Send so many rows, as fast as the worker takes them; the time is up to the last answer."""
        parts = self.feed.prepared(rows)
        started = time.perf_counter()
        async with self._looking():
            sent = await self.feed.send(parts, behind=self._behind, most=most, seconds=WHOLE_SECONDS)
            while self._behind():  # noqa: ASYNC110 - the worker's position is a number in a table
                await asyncio.sleep(0.001)
        return replace(sent, seconds=time.perf_counter() - started)

    def _behind(self) -> int:
        return self.feed.committed - self.high

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[list[int]]:
        """Give a list that grows by the number of waiting rows, look by look."""
        waiting: list[int] = []

        async def look() -> None:
            while True:
                self.high = await queries.fetchval(self.connection, self.position)
                waiting.append(self._behind())
                await asyncio.sleep(0.02)

        self.high = await queries.fetchval(self.connection, self.position)
        looking = asyncio.create_task(look())
        try:
            yield waiting
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def drained(self) -> None:
        """Wait until the worker has taken every row."""

        async def reached() -> bool:
            return bool(await queries.fetchval(self.connection, self.position) >= self.feed.committed)

        await until(reached, "the worker takes every row")

    async def server_seconds(self) -> float:
        """Give the processor time that PostgreSQL has used for the worker."""
        rows = await queries.fetch(self.connection, "backends", application="prediction-worker")
        times = [psutil.Process(row["pid"]).cpu_times() for row in rows]
        return float(sum(one.user + one.system for one in times))

    def processor_seconds(self) -> float:
        """Give the processor time that the worker has used."""
        times = self.worker.cpu_times()
        return float(times.user + times.system)


def _bounded(lags: list[float]) -> bool:
    """Tell whether the lag of the last quarter is no worse than that of the second one."""
    quarter = len(lags) // 4
    growth = median(lags[-quarter:]) - median(lags[quarter : 2 * quarter])
    return growth <= LAG_GROWTH_SECONDS and max(lags) <= LAG_LIMIT_SECONDS


async def until(holds: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"live: waited {PATIENCE_SECONDS:g} s in vain until {what}")
        await asyncio.sleep(0.05)
