"""The tables prediction_stats and prediction_calibration: predictions and outcomes rolled up, so none is counted."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from prediction_service.runtime.tallies import Tally
from shared.coin_metrics.read import moment
from shared.db import Connection, Executor, Queries, Record
from shared.errors import Unavailable

_queries = Queries.beside(__file__)
_LOCK = 0x70756D72
_ALL, _BY_DAY, _BY_PHASE = 3, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Predictions of one model, hour and phase that were not counted yet."""

    active_model_id: int
    model_id: int
    hour: datetime
    phase: int
    """-1: none."""
    predictions: int
    positives: int
    alerts: int
    probability_sum: float
    duration_ms_sum: float
    newest: datetime
    """Data timestamp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Predictions and what became of them, summed up."""

    predictions: int
    positives: int
    alerts: int
    tp: int
    fp: int
    tn: int
    fn: int
    unresolved: int
    alert_tp: int
    alert_fp: int
    alert_unresolved: int
    changes: int
    """Predictions whose change at the horizon is known; so of positives and alerts below."""
    positive_changes: int
    alert_changes: int
    probability_sum: float
    brier_sum: float
    """Squared errors of the resolved ones."""
    alert_brier_sum: float
    duration_ms_sum: float
    change_pct_sum: float
    positive_change_pct_sum: float
    alert_change_pct_sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OfModel:
    """Roll-ups of one model over a span of hours."""

    model_id: int
    first_hour: datetime
    last_hour: datetime
    last_prediction_at: datetime | None
    """Newest data timestamp."""
    total: Sums
    by_day: dict[datetime, Sums]
    by_phase: dict[int, Sums]
    """-1: rows without a phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Resolved predictions in a twentieth of probability."""

    bin: int
    resolved: int
    positives: int
    probability_sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All that one model ever made."""

    predictions: int
    alerts: int
    outcomes: dict[str, int]
    """Predictions by what came of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """What came of the newest predictions of one model."""

    by_kind: dict[str, tuple[int, int]]
    """Of all that said 1, and of the alerts: how many came true, how many did not."""


_OUTCOMES = ("tp", "fp", "tn", "fn", "unresolved")
NOTHING = Total(predictions=0, alerts=0, outcomes=dict.fromkeys(_OUTCOMES, 0))
"""Of a model that has not predicted yet."""
_SUMMED = tuple(field.name for field in fields(Sums))
_SUMS = ", ".join(
    f"coalesce(sum({name}), 0)" + ("" if name.endswith("_sum") else "::bigint") + f" AS {name}" for name in _SUMMED
)


async def lock(connection: Connection) -> None:
    """Let others who add wait until the transaction ends."""
    await _queries.execute(connection, "lock", key=_LOCK)


async def add_predictions(connection: Connection, cells: Sequence[Cell]) -> None:
    """Count predictions; no two cells are of one model, hour and phase."""
    await _queries.execute(
        connection,
        "add_predictions",
        active_model_ids=[cell.active_model_id for cell in cells],
        model_ids=[cell.model_id for cell in cells],
        hours=[cell.hour for cell in cells],
        phases=[cell.phase for cell in cells],
        predictions=[cell.predictions for cell in cells],
        positives=[cell.positives for cell in cells],
        alerts=[cell.alerts for cell in cells],
        probability_sums=[cell.probability_sum for cell in cells],
        duration_ms_sums=[cell.duration_ms_sum for cell in cells],
        newest=[cell.newest for cell in cells],
    )


async def add_outcomes(connection: Connection, outcomes: Tally, calibration: Tally) -> None:
    """Count outcomes of predictions that were counted before; those that were not are an `Unavailable`."""
    hours = [moment(hour) for hour in outcomes.hours]
    tag = await _queries.execute(
        connection, "add_outcomes", active_model_ids=outcomes.active_ids, hours=hours, phases=outcomes.parts,
        **outcomes.columns,
    )  # fmt: skip
    if tag != f"UPDATE {len(hours)}":
        raise Unavailable("some predictions whose outcome is known are not counted yet")
    await _queries.execute(
        connection, "add_calibration", active_model_ids=calibration.active_ids,
        hours=[moment(hour) for hour in calibration.hours], bins=calibration.parts, **calibration.columns,
    )  # fmt: skip


async def totals(executor: Executor) -> dict[int, Total]:
    """Give what each model that ever predicted has made."""
    return {
        row["active_model_id"]: Total(
            predictions=row["predictions"], alerts=row["alerts"], outcomes={name: row[name] for name in _OUTCOMES}
        )
        for row in await _queries.fetch(executor, "totals")
    }


async def lately(executor: Executor, *, since: datetime) -> dict[int, Lately]:
    """Give what came of the predictions for rows since a time, by model."""
    return {
        row["active_model_id"]: Lately(
            by_kind={"positives": (row["tp"], row["fp"]), "alerts": (row["alert_tp"], row["alert_fp"])}
        )
        for row in await _queries.fetch(executor, "lately", since=since)
    }


async def model_id_of(executor: Executor, active_model_id: int) -> int | None:
    """Give the model's id in the training service; None when it never predicted."""
    found: int | None = await _queries.fetchval(executor, "model_id_of", active_model_id=active_model_id)
    return found


async def of_model(
    executor: Executor, active_model_id: int, *, hour_from: datetime, hour_to: datetime
) -> OfModel | None:
    """Give the roll-ups of a model over hours, both included; None without any."""
    rows = await _fetch(executor, "parts", active_model_id, hour_from, hour_to)
    whole = rows[0] if rows else None
    if whole is None or whole["model_id"] is None:
        return None
    return OfModel(
        model_id=whole["model_id"],
        first_hour=whole["first_hour"],
        last_hour=whole["last_hour"],
        last_prediction_at=whole["last_prediction_at"],
        total=_sums(whole),
        by_day={row["day"]: _sums(row) for row in rows if row["part"] == _BY_DAY},
        by_phase={row["phase"]: _sums(row) for row in rows if row["part"] == _BY_PHASE},
    )


async def by_hour(
    executor: Executor, active_model_id: int, *, hour_from: datetime, hour_to: datetime
) -> dict[datetime, Sums]:
    """Give the roll-ups of a model hour by hour, oldest first."""
    rows = await _fetch(executor, "hours", active_model_id, hour_from, hour_to)
    return {row["bucket_start"]: _sums(row) for row in rows}


async def calibration(executor: Executor, active_model_id: int, *, hour_from: datetime, hour_to: datetime) -> list[Bin]:
    """Give the resolved predictions of a model by twentieths of probability."""
    rows = await _fetch(executor, "calibration", active_model_id, hour_from, hour_to)
    return [Bin(**dict(row)) for row in rows]


async def whole(executor: Executor) -> tuple[Sums, int, datetime | None]:
    """Give the roll-ups of all models together, how many models those are, and the newest data timestamp."""
    [row] = await executor.fetch(_queries["whole"].text.replace("/*sums*/", _SUMS))
    return _sums(row), row["models"], row["last_prediction_at"]


async def _fetch(
    executor: Executor, name: str, active_model_id: int, hour_from: datetime, hour_to: datetime
) -> list[Record]:
    query = _queries[name]
    given = {"active_model_id": active_model_id, "hour_from": hour_from, "hour_to": hour_to}
    return list(await executor.fetch(query.text.replace("/*sums*/", _SUMS), *query.arguments(given)))


def _sums(row: Record) -> Sums:
    return Sums(**{name: row[name] for name in _SUMMED})
