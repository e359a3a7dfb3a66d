"""What is old enough to go: predictions with their outcome, deliveries that have ended, activations that owe none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from prediction_service.runtime.position import Position
from shared.db import Executor, Queries, Record

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What became of a stretch of ids."""

    last: int
    """Its last id: the next stretch starts after it."""
    deleted: int


async def clock(executor: Executor) -> datetime | None:
    """Give the recording clock of the live workers; None before the first row."""
    return cast("datetime | None", await _queries.fetchval(executor, "clock"))


async def delete_predictions(executor: Executor, *, after: int, before: datetime, most: int) -> Swept | None:
    """Delete what is older and has its outcome among the next ids; None when no later one is older."""
    row = await _queries.fetchrow(executor, "delete_predictions", after=after, before=before, most=most)
    return _swept(row)


async def delete_deliveries(executor: Executor, *, after: int, age: timedelta, most: int) -> Swept | None:
    """Delete what has ended and is older among the next ids, attempts included; None when none of them is older."""
    row = await _queries.fetchrow(executor, "delete_deliveries", after=after, age=age, most=most)
    return _swept(row)


async def list_positions(executor: Executor) -> list[Position]:
    """Give where each shard stands."""
    rows = await _queries.fetch(executor, "positions")
    return [Position.from_json({"high": row["high"], "pending": row["pending"]}) for row in rows]


async def list_activations(executor: Executor) -> list[tuple[int, list[dict[str, Any]]]]:
    """Give the times of activity of each model that has any."""
    return [(row["id"], row["activation"]) for row in await _queries.fetch(executor, "activations")]


async def shorten_activation(
    executor: Executor, active_id: int, *, known: Sequence[dict[str, Any]], left: Sequence[dict[str, Any]]
) -> None:
    """Keep only some of a model's times of activity, unless they are others by now."""
    await _queries.execute(executor, "shorten_activation", id=active_id, known=list(known), left=list(left))


def _swept(row: Record | None) -> Swept | None:
    if row is None or not row["has_old"]:
        return None
    return Swept(last=row["last"], deleted=row["deleted"])
