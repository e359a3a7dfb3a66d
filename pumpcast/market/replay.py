"""Rows as if live: inserted tick by tick at a multiple of the pace at which they were recorded."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pumpcast.market.load import Progress, columns_to_fill, copy_rows
from shared.coin_metrics.read import clock, microseconds, moment
from shared.db import Pool, transaction
from shared.errors import Invalid

# Rows of a recording come late by seconds; later than this, the file is simply not in the order of time.
RECORDING_ORDER: Final = 10 * 60 * 1_000_000
AFTER_NEWEST: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """What went in, with the timestamps it has in the database."""

    rows: int
    ticks: int
    first_timestamp: datetime | None
    last_timestamp: datetime | None
    shift: timedelta
    """Added to every timestamp of the file."""
    stopped: bool
    """Whether somebody ended it before the last row."""


async def replay(
    pool: Pool,
    table: pa.Table,
    *,
    speed: float,
    keep_time: bool = False,
    on_progress: Progress | None = None,
    stop: asyncio.Event | None = None,
) -> ReplayResult:
    """Insert rows of coin_metrics tick by tick, `speed` times as fast as they were recorded; 0 means without waiting.

    Spacing and order are kept. The first row moves to just after the newest one that is there, in an empty table to
    now; with `keep_time` timestamps stay. Every tick is one COPY in one transaction. Setting `stop` ends it.
    """
    if not (speed >= 0 and np.isfinite(speed)):
        raise Invalid(f"speed must be a number from 0 on, not {speed}")
    if not table.num_rows:
        raise Invalid("There are no rows to replay")
    stop = stop or asyncio.Event()
    rows = _paced(table)
    async with pool.acquire() as connection:
        rows = rows.select(await columns_to_fill(connection, "coin_metrics", rows.column_names))
    shift = timedelta(0) if keep_time else await _shift(pool, rows)
    rows = _shifted(rows, shift)
    times = _microseconds(rows)
    done = ticked = 0
    loop = asyncio.get_running_loop()
    started = loop.time()
    for start, end, offset in ticks(times):
        due = started + offset / 1e6 / speed if speed else started
        if await stopped(stop, due - loop.time()):
            break
        async with transaction(pool) as connection:
            await copy_rows(connection, "coin_metrics", rows.slice(start, end - start))
        done, ticked = end, ticked + 1
        if on_progress:
            on_progress(done)
    inserted = times[:done]
    return ReplayResult(
        rows=done,
        ticks=ticked,
        first_timestamp=moment(int(inserted.min())) if done else None,
        last_timestamp=moment(int(inserted.max())) if done else None,
        shift=shift,
        stopped=done < len(times),
    )


def in_range(table: pa.Table, *, since: datetime | None, until: datetime | None, column: str = "timestamp") -> pa.Table:
    """Give the rows whose time lies between two moments, both included."""
    for moment_given in (since, until):
        if moment_given is not None and moment_given.tzinfo is None:
            raise Invalid(f"{moment_given.isoformat()} has no time zone: write it like {moment_given.isoformat()}Z")
    keep = pa.scalar(True)
    if since:
        keep = pc.and_(keep, pc.greater_equal(table[column], pa.scalar(since)))
    if until:
        keep = pc.and_(keep, pc.less_equal(table[column], pa.scalar(until)))
    return table.filter(keep) if since or until else table


async def start_after(pool: Pool) -> datetime:
    """Give the moment at which new rows may start: just after the newest one that is there, or now."""
    now = datetime.now(UTC)
    newest = await clock(pool, now=now)
    return newest + AFTER_NEWEST if newest else now.replace(microsecond=0)


async def _shift(pool: Pool, rows: pa.Table) -> timedelta:
    first = pc.min(rows["timestamp"]).cast(pa.int64()).as_py()
    return timedelta(microseconds=microseconds(await start_after(pool)) - first)


async def stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until `stop` is set; True when it is."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0)):
            await stop.wait()
    return stop.is_set()


def _microseconds(rows: pa.Table) -> NDArray[np.int64]:
    return np.asarray(rows["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(), dtype=np.int64)


def _paced(table: pa.Table) -> pa.Table:
    times = _microseconds(table)
    if (np.maximum.accumulate(times) - times).max() <= RECORDING_ORDER:
        return table
    return table.take(pa.array(np.argsort(times, kind="stable")))


def _shifted(rows: pa.Table, shift: timedelta) -> pa.Table:
    times = rows["timestamp"].cast(pa.timestamp("us", "UTC"))
    moved = pc.add(times, pa.scalar(shift, pa.duration("us")))
    return rows.set_column(rows.column_names.index("timestamp"), "timestamp", moved)


def ticks(times: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Give (first row, row after the last, microseconds after the first tick) of every tick.

    A row that was recorded late belongs to the tick of the rows before it.
    """
    running = np.maximum.accumulate(times)
    starts = np.flatnonzero(np.diff(running, prepend=running[0] - 1))
    ends = np.append(starts[1:], len(times))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield start, end, int(running[start] - running[0])
