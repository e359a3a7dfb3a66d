"""Whether there is work on packages, on which markets, and who does it; read only."""

from shared.contracts.candles import interval_text
from shared.db import Connection, Executor, Queries

_queries = Queries.beside(__file__)

_LOCK = 0x70756D_7061636B
"""Held by the one process that works."""


async def may_wait(executor: Executor) -> bool:
    """Say whether any package or account may need something: cheap, and never False when one does."""
    return bool(await _queries.fetchval(executor, "may_wait"))


async def is_taken(executor: Executor) -> bool:
    """Say whether a process works on packages of this database."""
    return bool(await _queries.fetchval(executor, "is_taken", key=_LOCK))


async def take(connection: Connection) -> bool:
    """Become the one that works, as long as this connection lives; False when there is one."""
    return bool(await _queries.fetchval(connection, "take", key=_LOCK))


async def active_ids(executor: Executor) -> frozenset[str]:
    """Give the packages that may be loaded."""
    return frozenset(row["id"] for row in await _queries.fetch(executor, "active_ids"))


async def newest_symbols(executor: Executor, *, interval_seconds: int, most: int) -> list[str]:
    """Give the markets that have candles of this length, those with the newest first."""
    rows = await _queries.fetch(executor, "newest_symbols", interval=interval_text(interval_seconds), most=most)
    return [row["symbol"] for row in rows]
