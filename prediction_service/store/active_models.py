"""The table prediction_active_models: the models that were brought here, and their settings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal, cast

from shared.contracts.artifact import Manifest
from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoPromotion:
    """What a shadow model must show to take the place of the live one of its line."""

    metric: str
    margin: float
    """By how much it must be better, in the unit of the metric."""
    min_outcomes: int
    """How many outcomes of what the metric counts each of the two must have."""


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
    line: str | None = None
    """Models of one line take each other's place."""
    auto_promotion: AutoPromotion | None = None
    """None: it never goes live by itself."""
    predictions_before: int = 0
    """Predictions with ids up to this one are older than its latest activation."""

    @property
    def name(self) -> str:
        """Give the name people see."""
        return self.custom_name or self.model_name

    @property
    def is_live(self) -> bool:
        """Tell whether what it says is for users."""
        return self.is_active and self.mode == "live"


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
    mode: str = "live"
    line: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineMate:
    """Another model of a line."""

    id: int
    is_live: bool
    asks_the_same: bool
    """Its target is the one asked about."""


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


async def change_settings(connection: Connection, changed: ActiveModel, *, alert_threshold: float | None) -> None:
    """Write all settings of a model; an alert threshold of None takes that of its file."""
    await _queries.execute(
        connection, "change_settings", id=changed.id, alert_threshold=alert_threshold,
        send_modes=sorted(changed.send_modes), cooldown_negative_seconds=changed.cooldown_negative_seconds,
        cooldown_positive_seconds=changed.cooldown_positive_seconds,
        cooldown_alert_seconds=changed.cooldown_alert_seconds, coin_filter_mode=changed.coin_filter_mode,
        coin_whitelist=sorted(changed.coin_whitelist),
        phases=None if changed.phases is None else list(changed.phases), mode=changed.mode, line=changed.line,
        auto_promotion=None if changed.auto_promotion is None else asdict(changed.auto_promotion),
    )  # fmt: skip


async def set_mode(connection: Connection, active_id: int, mode: str) -> None:
    """Let a model speak to users, or no longer; it does not change that by itself again."""
    await _queries.execute(connection, "set_mode", id=active_id, mode=mode)


async def list_line_mates(
    executor: Executor, line: str, *, active_id: int | None, target: dict[str, Any]
) -> list[LineMate]:
    """Give the models of a line other than this one."""
    rows = await _queries.fetch(executor, "line_mates", line=line, id=active_id, target=target)
    return [LineMate(**row) for row in rows]


async def target_of(executor: Executor, active_id: int) -> dict[str, Any]:
    """Give the question a model answers, as its manifest says it."""
    return dict(await _queries.fetchval(executor, "target", id=active_id) or {})


async def live_of_line(executor: Executor, line: str) -> int | None:
    """Give the id of the live model of a line."""
    return cast("int | None", await _queries.fetchval(executor, "live_of_line", line=line))


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


async def list_active_ids(executor: Executor) -> list[int]:
    """Give the ids of the models that predict."""
    return [row["id"] for row in await _queries.fetch(executor, "active_ids")]


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
    if values["auto_promotion"] is not None:
        values["auto_promotion"] = AutoPromotion(**values["auto_promotion"])
    return ActiveModel(**values)
