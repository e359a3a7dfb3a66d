"""How good models are live, from roll-ups alone: no prediction is counted or read."""

import math
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from pydantic import ValidationError

from prediction_service.runtime.tallies import BINS
from prediction_service.store import active_models, batches, deliveries, drift, dues, positions, statistics
from prediction_service.store.positions import Reported
from prediction_service.store.statistics import OfModel, Sums
from shared.coin_metrics.rows import NO_PHASE
from shared.contracts.statistics import (
    Books,
    CalibrationBin,
    Changes,
    DayFigures,
    DriftDay,
    Figures,
    HoldOut,
    HourFigures,
    JudgedAlerts,
    JudgedPredictions,
    MeanChange,
    ModelCounts,
    ModelStatistics,
    PhaseFigures,
    ServiceStatistics,
    WorkerState,
)
from shared.db import Connection, Pool
from shared.errors import Invalid, NotFound
from shared.scoring import Confusion

HOURS, DAYS, DRIFT_DAYS = 168, 400, 400
_NOTHING = Sums(**dict.fromkeys((field.name for field in fields(Sums)), 0))
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


@asynccontextmanager
async def _snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """Give a connection that sees one moment: figures of several tables would not fit each other otherwise."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield connection


async def of_model(
    pool: Pool, active_id: int, *, date_from: datetime | None, date_to: datetime | None
) -> ModelStatistics:
    """Sum up a model; one that was deleted as well, as long as it ever predicted."""
    if date_from is not None and date_to is not None and date_from > date_to:
        raise Invalid("date_from must not be after date_to", pointer="/date_from")
    hour_from, hour_to = _hour(date_from or _FIRST), _hour(date_to or _LAST)
    async with _snapshot(pool) as connection:
        model = await active_models.get(connection, active_id)
        manifest = None if model is None else await active_models.get_manifest(connection, active_id)
        model_id = model.model_id if model else await statistics.model_id_of(connection, active_id)
        if model_id is None:
            raise NotFound(f"There is no active model {active_id}, and none of that id ever predicted")
        found = await statistics.of_model(connection, active_id, hour_from=hour_from, hour_to=hour_to)
        hours, bins = {}, []
        if found is not None:
            first = max(found.first_hour, found.last_hour - timedelta(hours=HOURS - 1))
            hours = await statistics.by_hour(connection, active_id, hour_from=first, hour_to=found.last_hour)
            bins = await statistics.calibration(connection, active_id, hour_from=hour_from, hour_to=hour_to)
        drifted = await drift.list_days(connection, active_id, most=DRIFT_DAYS)
    return ModelStatistics(
        active_model_id=active_id,
        model_id=model_id,
        name=model.name if model else None,
        is_active=model.is_active if model else None,
        decision_threshold=model.decision_threshold if model else None,
        alert_threshold=model.alert_threshold if model else None,
        calibration=[_bin(one) for one in bins],
        hold_out=None if manifest is None else _hold_out(manifest.metrics),
        drift=[DriftDay.model_validate(one) for one in drifted],
        **_parts(found, hours),
    )


def _parts(found: OfModel | None, hours: dict[datetime, Sums]) -> dict[str, Any]:
    by_day, by_phase = (found.by_day, found.by_phase) if found else ({}, {})
    return {
        "first_hour": found.first_hour if found else None,
        "last_hour": found.last_hour if found else None,
        "last_prediction_at": found.last_prediction_at if found else None,
        "total": Figures(**_figures(found.total if found else _NOTHING)),
        "by_day": [DayFigures(day=day.date(), **_figures(sums)) for day, sums in list(by_day.items())[-DAYS:]],
        "by_hour": [HourFigures(hour=hour, **_figures(sums)) for hour, sums in hours.items()],
        "by_phase": [
            PhaseFigures(phase=None if phase == NO_PHASE else phase, **_figures(sums))
            for phase, sums in by_phase.items()
        ],
    }


async def of_service(pool: Pool) -> ServiceStatistics:
    """Sum up everything."""
    async with _snapshot(pool) as connection:
        sums, with_statistics, newest = await statistics.whole(connection)
        waiting = await batches.count_waiting(connection)
        reported = await positions.reported(connection)
        clock = await positions.least_clock(connection)
        oldest = await dues.oldest(connection)
        models = await active_models.list_all(connection)
        sent = await deliveries.totals(connection)
    made = sums.predictions + waiting
    return ServiceStatistics(
        books=_books(reported, made=made, waiting=waiting),
        figures=Figures(**_figures(sums)),
        deliveries=sent,
        models=ModelCounts(
            live=sum(one.is_active and one.mode == "live" for one in models),
            shadow=sum(one.is_active and one.mode == "shadow" for one in models),
            inactive=sum(not one.is_active for one in models),
            with_statistics=with_statistics,
        ),
        recording_clock=clock,
        outcomes_behind_seconds=None if clock is None else max(0.0, (clock - (oldest or clock)).total_seconds()),
        last_prediction_at=newest,
        workers=_workers(reported),
    )


def _books(reported: Sequence[Reported], *, made: int, waiting: int) -> Books:
    skipped: Counter[str] = Counter()
    rows = counted = owed = 0
    for one in reported:
        skipped.update(one.counters.get("skipped", {}))
        rows += one.counters.get("rows", 0)
        counted += one.counters.get("predictions", 0)
        # Older workers did not count it.
        known = one.counters.get("predictions", 0) + sum(one.counters.get("skipped", {}).values())
        owed += one.counters.get("owed", known)
    return Books(
        rows=rows,
        owed=owed,
        predictions=made,
        skipped=dict(sorted(skipped.items())),
        not_rolled_up=waiting,
        balanced=counted == made and owed == made + skipped.total(),
    )


def _workers(reported: Sequence[Reported]) -> list[WorkerState]:
    by_owner: dict[Any, list[Reported]] = {}
    for one in reported:
        if one.status:
            by_owner.setdefault(one.owner, []).append(one)
    return [
        WorkerState(
            shards=[one.shard for one in shards],
            beat=shards[0].status.get("beat"),
            listener=shards[0].status.get("listener"),
            lag_seconds=shards[0].status.get("lag_seconds"),
            coins_in_memory=shards[0].status.get("coins_in_memory"),
            trouble=shards[0].status.get("trouble"),
        )
        for shards in by_owner.values()
    ]


class _Figures(TypedDict):
    predictions: int
    positives: int
    alerts: int
    pending: int
    unresolved: int
    resolved: int
    base_rate: float | None
    mean_probability: float | None
    mean_duration_ms: float | None
    prediction: JudgedPredictions
    alert: JudgedAlerts
    change: Changes


def _figures(sums: Sums) -> _Figures:
    said = Confusion(tp=sums.tp, fp=sums.fp, tn=sums.tn, fn=sums.fn)
    true = sums.tp + sums.fn
    alerted = Confusion(
        tp=sums.alert_tp, fp=sums.alert_fp, tn=said.rows - true - sums.alert_fp, fn=true - sums.alert_tp
    )
    known_alerts = sums.alert_tp + sums.alert_fp
    return _Figures(
        predictions=sums.predictions,
        positives=sums.positives,
        alerts=sums.alerts,
        pending=sums.predictions - said.rows - sums.unresolved,
        unresolved=sums.unresolved,
        resolved=said.rows,
        base_rate=_mean(true, said.rows),
        mean_probability=_mean(sums.probability_sum, sums.predictions),
        mean_duration_ms=_mean(sums.duration_ms_sum, sums.predictions),
        prediction=JudgedPredictions(**_judged(said), brier=_mean(sums.brier_sum, said.rows)),
        alert=JudgedAlerts(
            **_judged(alerted),
            brier=_mean(sums.alert_brier_sum, known_alerts),
            unresolved=sums.alert_unresolved,
            pending=sums.alerts - known_alerts - sums.alert_unresolved,
        ),
        change=Changes(
            all=_change(sums.changes, sums.change_pct_sum),
            positives=_change(sums.positive_changes, sums.positive_change_pct_sum),
            alerts=_change(sums.alert_changes, sums.alert_change_pct_sum),
        ),
    )


def _judged(counts: Confusion) -> dict[str, Any]:
    return {
        "tp": counts.tp, "fp": counts.fp, "tn": counts.tn, "fn": counts.fn, "precision": counts.precision,
        "recall": counts.recall, "f1": counts.f1,
    }  # fmt: skip


def _change(count: int, total: float) -> MeanChange:
    return MeanChange(count=count, mean_pct=_mean(total, count))


def _mean(total: float, count: int) -> float | None:
    # Prices of next to nothing bring sums that no double holds.
    return total / count if count and math.isfinite(total) else None


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _bin(one: statistics.Bin) -> CalibrationBin:
    return CalibrationBin(
        lower=one.bin / BINS,
        upper=(one.bin + 1) / BINS,
        rows=one.resolved,
        mean_probability=one.probability_sum / one.resolved,
        observed_rate=one.positives / one.resolved,
    )


def _hold_out(figures: Mapping[str, Any]) -> HoldOut | None:
    """Read what training noted; None where another tool noted something else."""
    try:
        return HoldOut(
            days=figures.get("holdout_days"),
            prediction=figures.get("at_decision_threshold"),
            alert=figures.get("at_alert_threshold"),
            calibration=figures.get("calibration_bins", []),
            **{name: figures.get(name) for name in ("base_rate", "roc_auc", "brier", "alerts_per_day")},
            average_precision=figures.get("average_precision"),
        )
    except ValidationError:
        return None
