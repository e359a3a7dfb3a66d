"""The table prediction_batches: a journal, one row for each batch of predictions until it is folded into totals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.db import Connection, Executor, Queries

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one batch wrote."""

    first_id: int
    """No prediction of the batch has a lower id; others may lie between."""
    last_id: int
    """Nor a higher one."""
    entries: list[dict[str, Any]]
    """One for each model, as `runtime.journal` makes them."""


async def newest_id(executor: Executor) -> int:
    """Give the newest id that a prediction got; 0 when there never was one."""
    return int(await _queries.fetchval(executor, "newest_id"))


async def insert(
    connection: Connection, *, first_id: int, entries: Sequence[dict[str, Any]], last_id: int | None = None
) -> int:
    """Note a batch in the transaction of its predictions; give the newest id (`last_id`, when it is given)."""
    predictions = sum(cell[2] for entry in entries for cell in entry.get("cells", ()))
    return int(
        await _queries.fetchval(
            connection, "insert", first_id=first_id, last_id=last_id, predictions=predictions, entries=list(entries)
        )
    )


async def take(connection: Connection, *, most: int) -> list[Batch]:
    """Remove the oldest batches and give them; what another transaction takes meanwhile is left to it."""
    rows = sorted(await _queries.fetch(connection, "take", most=most), key=lambda row: row["id"])
    return [Batch(first_id=row["first_id"], last_id=row["last_id"], entries=row["entries"]) for row in rows]


async def count_waiting(executor: Executor) -> int:
    """Count the predictions of the batches that wait."""
    return int(await _queries.fetchval(executor, "count_waiting"))
