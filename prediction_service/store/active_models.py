"""The table prediction_active_models: the models that were brought here, and their settings."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, cast

from shared.contracts.artifact import Manifest
from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveModel:
    """One imported model."""

    id: int
    model_id: int
    """Its id in the training service."""
    model_name: str
    custom_name: str | None
    model_type: str
    target_variable: str
    target_operator: str | None
    target_value: float | None
    future_minutes: int | None
    """The horizon; None for a rule target."""
    price_change_percent: float | None
    target_direction: str | None
    features: tuple[str, ...]
    phases: tuple[int, ...] | None
    """Phases whose rows it predicts; None: all."""
    params: dict[str, Any] | None
    local_model_path: str
    model_file_sha256: str
    is_active: bool
    activated_at: datetime | None
    deactivated_at: datetime | None
    activation: tuple[dict[str, Any], ...]
    """When it was active, in positions: {"from": …, "until": … or None}, oldest first."""
    decision_threshold: float
    alert_threshold: float
    send_modes: frozenset[str]
    cooldown_negative_seconds: int
    cooldown_positive_seconds: int
    cooldown_alert_seconds: int
    coin_filter_mode: str
    coin_whitelist: frozenset[str]
    mode: str
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        """Give the name people see."""
        return self.custom_name or self.model_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """An imported model with the totals of its predictions."""

    model: ActiveModel
    total_predictions: int
    last_prediction_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewActiveModel:
    """What an import writes."""

    model_id: int
    model_name: str
    model_type: str
    target_variable: str
    target_operator: str | None
    target_value: float | None
    future_minutes: int | None
    price_change_percent: float | None
    target_direction: str | None
    features: list[str]
    phases: list[int] | None
    params: dict[str, Any]
    local_model_path: str
    model_file_sha256: str
    manifest: dict[str, Any]
    decision_threshold: float
    alert_threshold: float
    activation: list[dict[str, Any]]


_COLUMNS = tuple(field.name for field in fields(ActiveModel))
_NEW = tuple(field.name for field in fields(NewActiveModel))


async def insert(connection: Connection, new: NewActiveModel) -> int:
    """Write an active model and give its id; a `UniqueViolation` when the model is imported already."""
    return int(await _queries.fetchval(connection, "insert", **{name: getattr(new, name) for name in _NEW}))


async def get(executor: Executor, active_id: int) -> ActiveModel | None:
    """Give one model."""
    found = await _models(executor, active_id=active_id)
    return found[0] if found else None


async def id_of_model(executor: Executor, model_id: int) -> int | None:
    """Give the id under which a model of the training service is imported."""
    return cast("int | None", await _queries.fetchval(executor, "id_of_model", model_id=model_id))


async def imported(executor: Executor) -> dict[int, int]:
    """Give all imported models: id in the training service → id here."""
    return {row["model_id"]: row["id"] for row in await _queries.fetch(executor, "imported")}


async def list_active(executor: Executor) -> list[ActiveModel]:
    """Give the models that predict."""
    return await _models(executor, which="active")


async def list_owing(executor: Executor) -> list[ActiveModel]:
    """Give the models that predict, and those that did and may still owe predictions of earlier rows."""
    return await _models(executor, which="owing")


async def list_all(executor: Executor) -> list[ActiveModel]:
    """Give all imported models."""
    return await _models(executor)


async def list_of_models(executor: Executor, model_ids: Sequence[int]) -> list[ActiveModel]:
    """Give the imported ones among models of the training service."""
    return await _models(executor, model_ids=list(model_ids))


async def get_manifest(executor: Executor, active_id: int) -> Manifest | None:
    """Give the manifest of a model's file, without opening the file."""
    text = await _queries.fetchval(executor, "manifest", id=active_id)
    return None if text is None else Manifest.model_validate_json(text)


async def list_overviews(executor: Executor, *, include_inactive: bool) -> list[Overview]:
    """Give the models with their totals, newest first."""
    rows = await _queries.fetch(executor, "overview", include_inactive=include_inactive, id=None)
    return [_overview(row) for row in rows]


async def get_overview(executor: Executor, active_id: int) -> Overview | None:
    """Give one model with its totals."""
    row = await _queries.fetchrow(executor, "overview", include_inactive=True, id=active_id)
    return None if row is None else _overview(row)


async def set_active(
    connection: Connection, active_id: int, *, is_active: bool, activation: Sequence[dict[str, Any]]
) -> None:
    """Let a model predict from now on, or no longer."""
    await _queries.execute(connection, "set_active", id=active_id, is_active=is_active, activation=list(activation))


async def restart_intervals(connection: Connection) -> None:
    """Let active models owe every row of a table that starts anew, and others none."""
    await _queries.execute(connection, "restart_intervals")


async def rename(connection: Connection, active_id: int, custom_name: str | None) -> None:
    """Give a model a name of its own here."""
    await _queries.execute(connection, "rename", id=active_id, custom_name=custom_name)


async def delete(connection: Connection, active_id: int) -> None:
    """Forget a model."""
    await _queries.execute(connection, "delete", id=active_id)


async def announce(connection: Connection) -> None:
    """Tell the workers, when this transaction commits, that models have changed."""
    await _queries.execute(connection, "announce")


async def list_paths(executor: Executor) -> list[str]:
    """Give the files that belong to a model."""
    return [row["local_model_path"] for row in await _queries.fetch(executor, "paths")]


async def count_active(executor: Executor) -> int:
    """Count the models that predict."""
    return int(await _queries.fetchval(executor, "count_active"))


async def _models(
    executor: Executor,
    *,
    active_id: int | None = None,
    model_ids: list[int] | None = None,
    which: Literal["all", "active", "owing"] = "all",
) -> list[ActiveModel]:
    rows = await _queries.fetch(executor, "models", id=active_id, model_ids=model_ids, which=which)
    return [_read(row) for row in rows]


def _overview(row: Record) -> Overview:
    return Overview(
        model=_read(row), total_predictions=row["total_predictions"], last_prediction_at=row["last_prediction_at"]
    )


def _read(row: Record) -> ActiveModel:
    values = {name: row[name] for name in _COLUMNS}
    for name in ("features", "phases", "activation"):
        values[name] = None if values[name] is None else tuple(values[name])
    for name in ("send_modes", "coin_whitelist"):
        values[name] = frozenset(values[name])
    return ActiveModel(**values)
