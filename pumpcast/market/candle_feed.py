"""Simulated candles in the database: a history up to now, then each one when it closes."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from prediction_service.runtime.packages.candles import Candles
from prediction_service.store import candles
from pumpcast.market.candles import FIRST_PRICE, INTERVAL_SECONDS, SYMBOL, simulate_candles
from pumpcast.market.feed import fresh_seed
from pumpcast.market.files import FileRows
from pumpcast.market.load import Progress, load
from pumpcast.market.replay import stopped
from shared.coin_metrics.read import moment
from shared.db import Pool

STEP = timedelta(seconds=INTERVAL_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleFeedResult:
    """What was simulated."""

    rows: int
    symbol: str
    seed: int
    first_timestamp: datetime | None
    """None when nothing was missing."""
    last_timestamp: datetime | None
    file: str | None = None
    """None when the candles went into the database."""


def last_close() -> datetime:
    """Give when the newest candle closed."""
    now = int(datetime.now(UTC).timestamp())
    return datetime.fromtimestamp(now - now % INTERVAL_SECONDS, UTC)


def history(*, seed: int, bars: int, start: datetime | None) -> pa.Table:
    """Give candles from a time on, by default those up to now; the time is brought to the start of a candle."""
    if start is None:
        return simulate_candles(seed, last_close() - bars * STEP, bars)
    seconds = int(start.timestamp())
    return simulate_candles(seed, datetime.fromtimestamp(seconds - seconds % INTERVAL_SECONDS, UTC), bars)


async def feed_candles(
    pool: Pool,
    *,
    stop: asyncio.Event,
    bars: int,
    seed: int | None = None,
    only_fill: bool = False,
    on_progress: Progress | None = None,
) -> CandleFeedResult:
    """Let there be `bars` candles up to now, going on where the market stands, and add each when it closes.

    Fewer than `bars` without a gap are led up to by others, which take the place of what is there.
    """
    seed = fresh_seed() if seed is None else seed
    start, price, filled = last_close() - bars * STEP, FIRST_PRICE, 0
    begun = start
    run = await _newest_run(pool, bars)
    if len(run):
        filled = max((moment(int(run.open_time[0])) - start) // STEP, 0)
        begun = start if filled else max(start, moment(int(run.close_time[-1])))
        if filled:
            rows = _leading_to(float(run.open[0]), simulate_candles(seed, start, filled))
            await load(pool, FileRows(table="candles", rows=rows, ignored=()), count_gaps=False)
        start, price = max(start, moment(int(run.close_time[-1]))), float(run.close[-1])
    done = 0
    while True:
        due = (last_close() - start) // STEP
        if due > done:
            # A longer run begins with the shorter one.
            rows = simulate_candles(seed, start, due, first_price=price).slice(done)
            await load(pool, FileRows(table="candles", rows=rows, ignored=()), count_gaps=False)
            done = due
            if on_progress:
                on_progress(done)
        pause = (last_close() + STEP - datetime.now(UTC)).total_seconds()
        if only_fill or await stopped(stop, pause):
            break
    return CandleFeedResult(
        rows=filled + done,
        symbol=SYMBOL,
        seed=seed,
        first_timestamp=begun if filled + done else None,
        last_timestamp=start + (done - 1) * STEP if done else begun + (filled - 1) * STEP if filled else None,
    )


async def _newest_run(pool: Pool, most: int) -> Candles:
    now = datetime.now(UTC)
    present = await candles.newest(pool, symbol=SYMBOL, interval_seconds=INTERVAL_SECONDS, close_by=now, most=most)
    count = await candles.count_run(pool, symbol=SYMBOL, interval_seconds=INTERVAL_SECONDS, close_by=now, most=most)
    return present.part(len(present) - count, len(present))


def _leading_to(price: float, rows: pa.Table) -> pa.Table:
    """Scale prices so that the last close is one."""
    factor = price / rows["close"][-1].as_py()
    for name in ("open", "high", "low", "close"):
        rows = rows.set_column(rows.column_names.index(name), name, pc.multiply(rows[name], factor))
    return rows
