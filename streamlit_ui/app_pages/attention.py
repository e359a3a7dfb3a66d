"""What needs attention, and where it is put right: wire models of both services in, findings out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from shared.contracts.health import HealthReport
from shared.contracts.jobs import Job
from shared.contracts.packages import Package
from shared.contracts.prediction import ActiveModel
from shared.contracts.statistics import ModelStatistics, ServiceStatistics, WorkerState
from shared.contracts.training import Model
from shared.contracts.webhook import Webhook
from streamlit_ui.app_pages.delivery_words import BRIEF_SECONDS, title
from streamlit_ui.app_pages.service_health import (
    LEAST_DISK_BYTES,
    MOST_OUTCOME_DELAY_SECONDS,
    SHARDS,
    is_behind,
    is_dead,
    missing_shards,
    unaccounted,
)
from streamlit_ui.places import Name

Severity = Literal["bad", "warning"]
SEVERITIES: Final[tuple[Severity, ...]] = ("bad", "warning")
LONGEST_SILENCE: Final = timedelta(minutes=15)
BRIEF_FAILURE: Final = timedelta(seconds=BRIEF_SECONDS)
LONGEST_FAILURE: Final = timedelta(minutes=5)
"""An endpoint that fails longer than this hardly comes back by itself."""
OLDEST_TRAINING: Final = timedelta(days=30)
LARGEST_GAP: Final = 0.1
"""Mean train accuracy less mean test accuracy over the folds, from which on training itself warns."""
FEWEST_ALERTS: Final = 30
"""So many alerts with a known outcome before their precision is held against the hold-out's."""
LEAST_OF_PROMISE: Final = 0.5
MOST_LIKE_IT: Final = 3
"""Findings of one kind that are told one by one; more of them are told as a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    severity: Severity
    code: str
    """Its words are `attention.<code>`."""
    place: Name
    """The page where it is put right."""
    values: dict[str, Any] = field(default_factory=dict)
    """What its words name; moments, seconds and shares are written out by the page."""
    query: dict[str, Any] = field(default_factory=dict)
    """What the address of the place says behind the question mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of both services; None where a service did not tell."""

    now: datetime
    silent: tuple[str, ...] = ()
    """Services that did not answer."""
    health: tuple[HealthReport, ...] = ()
    service: ServiceStatistics | None = None
    models: Sequence[ActiveModel] = ()
    """Those that predict."""
    statistics: Sequence[ModelStatistics] = ()
    """Of some of them."""
    in_turns: Sequence[Finding] = ()
    """What the statistics of the others said when they were looked at."""
    trained: Sequence[Model] = ()
    """The models of the training service that they come from, as far as it has them."""
    endpoints: Sequence[Webhook] = ()
    packages: Sequence[Package] = ()
    failed_jobs: Sequence[Job] = ()
    """Newest first."""


def find(situation: Situation) -> list[Finding]:
    """Give all that needs attention, what hurts most first."""
    found = [
        *(Finding(severity="bad", code="unreachable", place="system", values={"service": one})
          for one in situation.silent),
        *_of_health(situation),
        *_of_workers(situation),
        *_of_models(situation),
        *situation.in_turns,
        *_of_endpoints(situation),
        *_of_packages(situation),
        *_of_jobs(situation),
    ]  # fmt: skip
    return sorted(_gathered(found), key=lambda one: SEVERITIES.index(one.severity))


def _of_health(situation: Situation) -> Iterator[Finding]:
    for report in situation.health:
        values = {"service": report.service}
        if not report.db_connected:
            yield Finding(severity="bad", code="no_database", place="system", values=values)
            continue
        if report.model_store != "writable":
            yield Finding(severity="bad", code="model_store", place="system", values=values)
        if report.migrations == "pending":
            yield Finding(severity="bad", code="migrations", place="system", values=values)
        if report.disk_free_bytes < LEAST_DISK_BYTES:
            yield Finding(
                severity="bad", code="disk", place="system", values={**values, "bytes": report.disk_free_bytes}
            )
        if report.status == "degraded":
            reason = report.last_error or ""
            code = "degraded_why" if reason else "degraded"
            yield Finding(severity="warning", code=code, place="system", values={**values, "reason": reason})


def _of_workers(situation: Situation) -> Iterator[Finding]:
    service = situation.service
    if service is None:
        return
    if not service.workers:
        yield Finding(severity="bad", code="no_worker", place="system")
    else:
        for worker in service.workers:
            yield from _of_worker(worker, situation.now)
        uncovered = len(missing_shards(service.workers, situation.now))
        if uncovered and not all(is_dead(worker, situation.now) for worker in service.workers):
            yield Finding(
                severity="bad", code="uncovered", place="system", values={"uncovered": uncovered, "of": SHARDS}
            )
    if not service.books.balanced:
        missing = abs(unaccounted(service.books))
        yield Finding(severity="bad", code="books", place="system", values={"missing": missing})
    behind = service.outcomes_behind_seconds or 0
    if behind > MOST_OUTCOME_DELAY_SECONDS:
        yield Finding(severity="warning", code="outcomes", place="statistics", values={"seconds": behind})


def _of_worker(worker: WorkerState, now: datetime) -> Iterator[Finding]:
    if is_dead(worker, now):
        yield Finding(severity="bad", code="dead_worker", place="system", values={"moment": worker.beat})
        return
    if worker.trouble:
        yield Finding(severity="bad", code="trouble", place="system", values={"reason": worker.trouble})
    if worker.listener == "polling":
        yield Finding(severity="warning", code="polling", place="system")
    if is_behind(worker):
        yield Finding(severity="warning", code="lag", place="system", values={"seconds": worker.lag_seconds})


def _of_models(situation: Situation) -> Iterator[Finding]:
    models = [model for model in situation.models if model.is_active]
    last = max((model.last_prediction_at for model in models if model.last_prediction_at), default=None)
    started = min((model.activated_at for model in models if model.activated_at), default=None)
    if last is None and started is not None and situation.now - started > LONGEST_SILENCE:
        yield Finding(severity="warning", code="no_predictions", place="system", values={"moment": started})
    elif last is not None and situation.now - last > LONGEST_SILENCE:
        yield Finding(severity="warning", code="no_rows", place="system", values={"moment": last})
    trained = {model.id: model for model in situation.trained}
    figures = {one.active_model_id: one for one in situation.statistics}
    for model in models:
        if last is not None and _is_silent(model, last):
            yield _about(model, "silent", place="manage", moment=model.last_prediction_at)
        if (origin := trained.get(model.model_id)) is not None:
            yield from _of_training(model, origin, _clock(situation))
        if (one := figures.get(model.id)) is not None:
            yield from of_figures(model, one)


def _is_silent(model: ActiveModel, last: datetime) -> bool:
    """Tell whether others answered rows while this one, which takes every row, did not."""
    if model.coin_filter_mode == "whitelist" or model.phases is not None:
        return False
    since = max(moment for moment in (model.last_prediction_at, model.activated_at, model.created_at) if moment)
    return last - since > LONGEST_SILENCE


def _clock(situation: Situation) -> datetime:
    """Give the time of the rows: a replay of old ones does not make a model old."""
    clock = situation.service.recording_clock if situation.service else None
    return min(clock or situation.now, situation.now)


def _of_training(model: ActiveModel, origin: Model, now: datetime) -> Iterator[Finding]:
    gap = origin.cv_overfitting_gap
    if gap is not None and gap > LARGEST_GAP:
        yield _about(model, "overfitted", place="models", query={"id": origin.id, "tab": "robustness"}, share=gap)
    elif any(warning.code == "overfitting" for warning in origin.warnings):
        yield _about(model, "overfitting", place="models", query={"id": origin.id, "tab": "robustness"})
    if now - origin.train_end > OLDEST_TRAINING:
        yield _about(model, "old", place="train", query={"from_model": origin.id}, moment=origin.train_end)


def of_figures(model: ActiveModel, figures: ModelStatistics) -> Iterator[Finding]:
    """Give what the statistics of a model say: drift, and alerts that come true less often than promised."""
    if figures.drift and figures.drift[0].level == "strong":
        day = figures.drift[0]
        moved = {**day.features, "probability": day.score_psi or 0.0}
        yield _about(
            model, "drift", place="statistics", query={"model": model.id}, what=max(moved, key=lambda k: moved[k])
        )
    promised = figures.hold_out.alert.precision if figures.hold_out and figures.hold_out.alert else None
    alerts = figures.total.alert
    if promised and alerts.precision is not None and alerts.tp + alerts.fp >= FEWEST_ALERTS:  # noqa: SIM102
        if alerts.precision < promised * LEAST_OF_PROMISE:
            yield _about(
                model, "below_promise", place="statistics", query={"model": model.id}, share=alerts.precision,
                promised=promised,
            )  # fmt: skip


def _about(
    model: ActiveModel, code: str, *, place: Name, query: dict[str, Any] | None = None, **values: Any
) -> Finding:
    return Finding(
        severity="warning", code=code, place=place, values={"model": model.name, **values},
        query={"model": model.id} if query is None else query,
    )  # fmt: skip


def _of_endpoints(situation: Situation) -> Iterator[Finding]:
    for endpoint in situation.endpoints:
        values = {"endpoint": title(endpoint)}
        query = {"endpoint": endpoint.id}
        if not endpoint.enabled and endpoint.disabled_reason:
            yield Finding(
                severity="bad", code="endpoint_disabled", place="delivery", query=query,
                values={**values, "reason": endpoint.disabled_reason},
            )  # fmt: skip
        elif endpoint.enabled and endpoint.failing_since is not None:
            failing = situation.now - endpoint.failing_since
            if failing <= BRIEF_FAILURE:
                continue
            is_lasting = failing > LONGEST_FAILURE
            yield Finding(
                severity="bad" if is_lasting else "warning", code="endpoint_failing", place="delivery", query=query,
                values={**values, "moment": endpoint.failing_since},
            )  # fmt: skip


def _of_packages(situation: Situation) -> Iterator[Finding]:
    for package in situation.packages:
        if package.status != "ARCHIVED" and package.warmup_status == "FAILED":
            yield Finding(
                severity="bad", code="package_failed", place="packages", query={"model": package.id},
                values={"package": package.name, "reason": package.warmup_error or "–"},
            )  # fmt: skip
        elif package.status != "ARCHIVED" and package.warmup_status == "PENDING" and package.warmup_error:
            yield Finding(
                severity="warning", code="package_waiting", place="packages", query={"model": package.id},
                values={"package": package.name, "reason": package.warmup_error},
            )  # fmt: skip


def _of_jobs(situation: Situation) -> Iterator[Finding]:
    for job in situation.failed_jobs:
        if job.completed_at is not None and situation.now - job.completed_at <= timedelta(days=1):
            yield Finding(
                severity="warning", code="job_failed", place="jobs", query={"id": job.id},
                values={"job": job.model_name or f"#{job.id}", "reason": job.error_msg or "–"},
            )  # fmt: skip


def _gathered(findings: list[Finding]) -> Iterator[Finding]:
    by_code: dict[str, list[Finding]] = {}
    for one in findings:
        by_code.setdefault(one.code, []).append(one)
    for code, alike in by_code.items():
        yield from alike[:MOST_LIKE_IT]
        if len(alike) > MOST_LIKE_IT:
            rest = len(alike) - MOST_LIKE_IT
            yield Finding(
                severity=alike[0].severity, code="more", place=alike[0].place, values={"count": rest, "kind": code}
            )
