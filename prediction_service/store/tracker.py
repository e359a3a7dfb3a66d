"""The tracker's list of phases; read only."""

from shared.db import Executor, Queries, UndefinedTable

_queries = Queries.beside(__file__)


async def phase_ids(executor: Executor) -> list[int] | None:
    """Give the phases a coin can be in; None while the tracker has no such table."""
    try:
        return [row["id"] for row in await _queries.fetch(executor, "phase_ids")]
    except UndefinedTable:
        return None
