"""A first history for a market that has none."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from pumpcast.market.feed import fresh_seed
from pumpcast.market.files import FileRows
from pumpcast.market.load import load
from pumpcast.market.simulate import simulate_history
from shared.db import open_pool

FILL_MINUTES: Final = 6 * 60


def fill_when_empty(dsn: str) -> int:
    """Load the last hours of a simulated market when coin_metrics holds nothing; give how many rows that were."""
    return asyncio.run(_fill(dsn))


async def _fill(dsn: str) -> int:
    pool = await open_pool(dsn, application="pumpcast")
    try:
        if await pool.fetchval("SELECT EXISTS (SELECT FROM coin_metrics)"):
            return 0
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=FILL_MINUTES)
        rows = simulate_history(seed=fresh_seed(), start=start, minutes=FILL_MINUTES)
        return (await load(pool, FileRows(table="coin_metrics", rows=rows, ignored=()))).rows
    finally:
        await pool.close()
