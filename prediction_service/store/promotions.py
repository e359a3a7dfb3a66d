"""The table model_promotions: what was live when, by whom and why. Rows are only added."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from prediction_service.store.active_models import ActiveModel
from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)

NEWEST = 2**63 - 1
"""Above every id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who wants a change of what is live, and why."""

    by: str
    reason: str | None = None


LOCAL = Asked(by="local")
"""Somebody on this machine, where no keys are set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One change of what is live."""

    id: int
    action: str
    active_model_id: int
    model_id: int
    replaced_active_model_id: int | None
    """The model whose place it took, or gave back."""
    replaced_model_id: int | None
    line: str | None
    is_live: bool
    """It is active and live from then on."""
    made_by: str
    reason: str | None
    metrics: dict[str, Any]
    undoes: int | None
    """The promotion that was rolled back."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoable:
    """The latest promotion of a model."""

    id: int
    replaced_active_model_id: int | None
    undone_by: int | None
    """The roll-back, when there was one."""


_READ = tuple(field.name for field in fields(Promotion))
# Written out per filter, since a condition like "$1 IS NULL OR …" keeps a reused plan from its index.
_CONDITIONS = {"line": "line = {}", "action": "action = {}"}


async def log(
    connection: Connection,
    action: str,
    changed: ActiveModel,
    asked: Asked,
    *,
    is_live: bool,
    replaced: ActiveModel | None = None,
    metrics: dict[str, Any] | None = None,
    undoes: int | None = None,
) -> Promotion:
    """Write a change, in the transaction that makes it."""
    row = await _queries.fetchrow(
        connection, "insert", action=action, active_model_id=changed.id, model_id=changed.model_id,
        replaced_active_model_id=None if replaced is None else replaced.id,
        replaced_model_id=None if replaced is None else replaced.model_id, line=changed.line, is_live=is_live,
        made_by=asked.by, reason=asked.reason, metrics=metrics or {}, undoes=undoes,
    )  # fmt: skip
    assert row is not None
    return _read(row)


async def latest_promotion(executor: Executor, active_id: int) -> Undoable | None:
    """Give the latest promotion of a model, and whether it was rolled back."""
    row = await _queries.fetchrow(executor, "latest_promotion", active_model_id=active_id)
    return None if row is None else Undoable(**row)


async def list_page(
    executor: Executor, *, active_model_id: int | None, line: str | None, action: str | None, before_id: int, most: int
) -> list[Promotion]:
    """Give the newest changes that fit, highest ids first."""
    text, arguments = compose_page(
        active_model_id=active_model_id, line=line, action=action, before_id=before_id, most=most
    )
    return [_read(row) for row in await executor.fetch(text, *arguments)]


def compose_page(
    *, active_model_id: int | None, line: str | None, action: str | None, before_id: int, most: int
) -> tuple[str, list[Any]]:
    """Give the statement of a page: of one model, or along an index of the filter."""
    first: dict[str, Any] = {"before_id": before_id, "most": most}
    if active_model_id is not None:
        first["active_model_id"] = active_model_id
    query = _queries["page" if active_model_id is None else "page_of_model"]
    arguments = query.arguments(first)
    where = ""
    for column, value in (("line", line), ("action", action)):
        if value is not None:
            arguments.append(value)
            where += " AND " + _CONDITIONS[column].format(f"${len(arguments)}")
    return query.text.replace("/*where*/", where), arguments


def _read(row: Record) -> Promotion:
    return Promotion(**{name: row[name] for name in _READ})
