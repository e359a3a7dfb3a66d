"""Candles as if live: written one after the other at a multiple of their pace."""

import asyncio
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pumpcast.market.files import FileRows
from pumpcast.market.load import Progress, load
from pumpcast.market.replay import ReplayResult, stopped, ticks
from shared.coin_metrics.read import moment
from shared.db import Pool
from shared.errors import Invalid


async def replay_candles(
    pool: Pool, table: pa.Table, *, speed: float, on_progress: Progress | None = None, stop: asyncio.Event | None = None
) -> ReplayResult:
    """Write candles in the order of time, `speed` times as fast as they came; 0 means without waiting.

    They keep their times: candles of the past are closed, so whoever trades on them acts on each as it comes.
    """
    if not (speed >= 0 and np.isfinite(speed)):
        raise Invalid(f"speed must be a number from 0 on, not {speed}")
    stop = stop or asyncio.Event()
    rows = table.take(pc.sort_indices(table, sort_keys=[("open_time", "ascending"), ("symbol", "ascending")]))
    times = np.asarray(rows["open_time"].cast(pa.int64()).to_numpy(), dtype=np.int64)
    done = ticks_done = 0
    loop = asyncio.get_running_loop()
    started = loop.time()
    for start, end, offset in ticks(times):
        if await stopped(stop, (started + offset / 1e6 / speed if speed else started) - loop.time()):
            break
        await load(pool, FileRows(table="candles", rows=rows.slice(start, end - start), ignored=()), count_gaps=False)
        done, ticks_done = end, ticks_done + 1
        if on_progress:
            on_progress(done)
    return ReplayResult(
        rows=done,
        ticks=ticks_done,
        first_timestamp=moment(int(times[0])) if done else None,
        last_timestamp=moment(int(times[done - 1])) if done else None,
        shift=timedelta(0),
        stopped=done < len(times),
    )
