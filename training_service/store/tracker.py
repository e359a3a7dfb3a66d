"""What the tracker's tables hold, for people who choose a window; read only."""

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.coin_metrics import read
from shared.db import (
    Executor,
    LockNotAvailable,
    Pool,
    Queries,
    QueryCanceled,
    Record,
    UndefinedTable,
    transaction,
)
from shared.errors import Unavailable

_queries = Queries.beside(__file__)

COUNTED_ROWS = 5_000_000
"""Up to about so many rows are counted, beyond the planner's estimate is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What coin_metrics holds."""

    first: datetime | None
    last: datetime | None
    """The recording clock: a row in a wrong time zone is not the newest."""
    rows: int
    rows_counted: bool
    """False: estimated."""
    coins: int


async def phases(executor: Executor) -> list[Record]:
    """Give the tracker's phases; none while it has no such table."""
    try:
        return await _queries.fetch(executor, "phases")
    except UndefinedTable:
        return []


async def holdings(pool: Pool) -> Holdings:
    """Look at coin_metrics; empty while it does not exist, `Unavailable` when it does not give way in time."""
    try:
        async with transaction(pool) as connection:
            await _queries.execute(connection, "limits")
            await _queries.execute(connection, "lock_limit")
            return await _holdings(connection)
    except LockNotAvailable as error:
        raise Unavailable("coin_metrics is locked by another session: try again when that has ended") from error
    except QueryCanceled as error:
        raise Unavailable(
            "looking at coin_metrics takes too long: try again when the database has less to do"
        ) from error
    except UndefinedTable:
        return Holdings(first=None, last=None, rows=0, rows_counted=True, coins=0)


async def _holdings(executor: Executor) -> Holdings:
    first = await _queries.fetchval(executor, "first")
    estimate = await _queries.fetchval(executor, "estimated_rows")
    counted = estimate <= COUNTED_ROWS
    rows = await _queries.fetchval(executor, "rows") if counted else estimate
    return Holdings(
        first=first,
        last=await read.clock(executor, now=datetime.now(UTC)),
        rows=rows,
        rows_counted=counted,
        coins=await _queries.fetchval(executor, "coins"),
    )
