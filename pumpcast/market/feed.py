"""The simulated market as a live feed into the database."""

import asyncio
import itertools
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pumpcast.market.files import COIN_TYPES
from pumpcast.market.load import Progress, columns_to_fill, copy_rows
from pumpcast.market.replay import start_after, stopped
from pumpcast.market.simulate import TICKS_PER_MINUTE, live
from shared.db import Pool, transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedResult:
    """What the market sent."""

    rows: int
    seed: int
    first_timestamp: datetime
    last_timestamp: datetime


def fresh_seed() -> int:
    """Give a seed nobody used before: two feeds of one seed would trade the same coins."""
    return secrets.randbelow(2**32)


async def feed(
    pool: Pool,
    *,
    stop: asyncio.Event,
    seed: int | None = None,
    coins_per_minute: float = 3,
    speed: float = 1,
    minutes: int | None = None,
    on_progress: Progress | None = None,
) -> FeedResult:
    """Insert what the market does as it happens, until `stop` is set or so many market minutes have passed."""
    seed = fresh_seed() if seed is None else seed
    # Rows behind the recording clock would count as late: a feed goes on where the table ends.
    start = max(datetime.now(UTC), await start_after(pool))
    ticks = itertools.islice(
        live(seed=seed, start=start, coins_per_minute=coins_per_minute),
        None if minutes is None else minutes * TICKS_PER_MINUTE,
    )
    async with pool.acquire() as connection:
        columns = await columns_to_fill(connection, "coin_metrics", list(COIN_TYPES))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    rows, last = 0, start
    for moment, batch in ticks:
        due = begun + (moment - start) / timedelta(seconds=1) / speed if speed else begun
        if await stopped(stop, due - loop.time()):
            break
        if batch.num_rows:
            async with transaction(pool) as connection:
                await copy_rows(connection, "coin_metrics", batch.select(columns))
        rows, last = rows + batch.num_rows, moment
        if on_progress:
            on_progress(rows)
    return FeedResult(rows=rows, seed=seed, first_timestamp=start, last_timestamp=last)
