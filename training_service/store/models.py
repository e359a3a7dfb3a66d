"""The tables ml_models and ref_model_types: what was trained, and what can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How many models there are."""

    ever: int
    """Deleted ones too."""
    available: int
    """Ready and not deleted."""


async def lock_names(connection: Connection) -> None:
    """Wait until nobody else is giving a name; held until the transaction ends."""
    await _queries.execute(connection, "lock_names")


async def live_names(connection: Connection, name: str, *, except_id: int = 0) -> set[str]:
    """Give the names of models not deleted that are the name or the name with a number."""
    rows = await _queries.fetch(connection, "live_names", name=name, except_id=except_id)
    return {row["name"] for row in rows}


async def reserve_id(executor: Executor) -> int:
    """Give an id for a model that is still to be made."""
    model_id: int = await _queries.fetchval(executor, "reserve_id")
    return model_id


async def insert(connection: Connection, **columns: Any) -> None:
    """Write a model that is ready; the columns are those of the statement."""
    await _queries.execute(connection, "insert", **columns)


async def get(executor: Executor, model_id: int) -> Record | None:
    """Give one model, deleted or not."""
    return await _queries.fetchrow(executor, "get", id=model_id)


async def get_card(executor: Executor, model_id: int) -> dict[str, Any] | None:
    """Give the card of a model, empty for one that was written without; None when there is no such model."""
    card: dict[str, Any] | None = await _queries.fetchval(executor, "card", id=model_id)
    return card


async def by_run_key(executor: Executor, run_key: str) -> list[Record]:
    """Give id and file of the models of equal work, the first one first."""
    return await _queries.fetch(executor, "by_run_key", run_key=run_key)


async def add_type(executor: Executor, *, name: str, title: str, description: str) -> None:
    """Make sure that a kind of model is known to the database."""
    await _queries.execute(executor, "add_type", name=name, title=title, description=description)


async def by_ids(executor: Executor, model_ids: Sequence[int]) -> dict[int, Record]:
    """Give some models by id."""
    if not model_ids:
        return {}
    return {row["id"]: row for row in await _queries.fetch(executor, "by_ids", ids=list(model_ids))}


async def list_page(
    executor: Executor, *, status: str | None, model_type: str | None, is_deleted: bool, search: str | None, limit: int,
    offset: int,
) -> tuple[list[Record], int]:  # fmt: skip
    """Give a page of models, newest first, and how many there are."""
    filters = {"status": status, "model_type": model_type, "is_deleted": is_deleted, "search": search}
    total = await _queries.fetchval(executor, "count", **filters)
    return await _queries.fetch(executor, "list", **filters, limit=limit, offset=offset), total


async def change(
    connection: Connection, model_id: int, *, name: str | None, description: str | None, with_description: bool
) -> Record | None:
    """Change name or description of a model that is not deleted."""
    return await _queries.fetchrow(
        connection, "change", id=model_id, name=name, description=description, with_description=with_description
    )


async def delete(executor: Executor, model_id: int) -> bool:
    """Mark a model as deleted; False when there is no such model."""
    return await _queries.fetchval(executor, "delete", id=model_id) is True


async def totals(executor: Executor) -> Totals:
    """Count models."""
    row = await _queries.fetchrow(executor, "totals")
    assert row is not None
    return Totals(ever=row["ever"], available=row["available"])


async def types(executor: Executor) -> list[Record]:
    """Give the kinds of models with the defaults the operator set."""
    return await _queries.fetch(executor, "types")


async def type_defaults(executor: Executor, name: str) -> dict[str, Any]:
    """Give the hyper-parameters the operator set for a kind of model."""
    found: dict[str, Any] | None = await _queries.fetchval(executor, "type_defaults", name=name)
    return found or {}
