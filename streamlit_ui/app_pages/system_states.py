"""What state each part of pumpcast is in: wire models in, one tile a part out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.contracts.candle_feeds import CandleFeed
from shared.contracts.health import HealthReport
from shared.contracts.packages import Package
from shared.contracts.statistics import ModelCounts, ServiceStatistics, WorkerState
from streamlit_ui import formats
from streamlit_ui.app_pages.service_health import (
    LEAST_DISK_BYTES,
    MOST_OUTCOME_DELAY_SECONDS,
    SHARDS,
    is_behind,
    is_dead,
    missing_shards,
    unaccounted,
)
from streamlit_ui.client.transport import ServiceName
from streamlit_ui.places import Name
from streamlit_ui.session import t
from streamlit_ui.states import Level

FULL_DISK_BYTES: Final = 500 << 20
"""With less than this free a service calls itself degraded."""
SERVICES: Final[tuple[ServiceName, ...]] = ("prediction", "training")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was told of both services; None where one did not."""

    now: datetime
    health: dict[ServiceName, HealthReport | None]
    statistics: ServiceStatistics | None
    feeds: Sequence[CandleFeed] | None
    packages: Sequence[Package] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One part of the whole."""

    part: str
    """What it is called."""
    level: Level
    words: str
    """Its state, in a word or two."""
    detail: str = ""
    """The figure behind it, or what to do."""
    place: tuple[Name, dict[str, str]] | None = None
    """Where there is more of it."""
    about: str = ""
    """What this part is for."""


def tiles(seen: Seen) -> list[Tile]:
    """Give the state of every part."""
    return [
        *(_api(name, seen.health[name]) for name in SERVICES),
        _database(seen),
        _migrations(seen),
        *_of_prediction(seen),
        _queue(seen.health["training"]),
        *(_store(name, seen.health[name]) for name in SERVICES),
        _disk(seen),
        _feeds(seen.feeds),
        _packages(seen.packages),
    ]


def _tile(
    part: str, level: Level, words: str, detail: str = "", place: tuple[Name, dict[str, str]] | None = None
) -> Tile:
    return Tile(
        part=t(f"system.part_{part}"), level=level, words=words, detail=detail, place=place,
        about=t(f"system.about_{part}"),
    )  # fmt: skip


def _unknown(part: str) -> Tile:
    return _tile(part, "off", t("system.unknown"), t("system.unknown_detail"))


def _api(name: ServiceName, report: HealthReport | None) -> Tile:
    part = f"api_{name}"
    if report is None:
        return _tile(part, "bad", t("system.silent"), t("system.silent_detail"))
    since = t("system.up_for", duration=formats.duration(report.uptime_seconds))
    if report.status == "degraded":
        return _tile(
            part, "warning", t("system.degraded"), formats.plain(report.last_error) if report.last_error else since
        )
    return _tile(part, "good", t("system.answers"), since)


def _reports(seen: Seen) -> list[HealthReport]:
    return [report for report in seen.health.values() if report is not None]


def _database(seen: Seen) -> Tile:
    reports = _reports(seen)
    if not reports:
        return _unknown("database")
    lost = [t(f"words.{report.service}") for report in reports if not report.db_connected]
    if lost:
        return _tile("database", "bad", t("system.silent"), t("system.database_lost", services=", ".join(lost)))
    return _tile("database", "good", t("system.answers"), t("system.database_good"))


def _migrations(seen: Seen) -> Tile:
    states = {report.migrations for report in _reports(seen)}
    if "pending" in states:
        return _tile("migrations", "bad", t("system.migrations_pending"), t("system.migrations_fix"))
    if states == {"current"}:
        return _tile("migrations", "good", t("system.migrations_current"))
    return _unknown("migrations")


def _of_prediction(seen: Seen) -> Iterator[Tile]:
    statistics = seen.statistics
    yield _listener(seen.health["prediction"], statistics)
    if statistics is None:
        yield from map(_unknown, ("workers", "models", "books", "outcomes", "backlog"))
        return
    yield _workers(statistics.workers, seen.now)
    yield _models(statistics.models)
    books = statistics.books
    if books.balanced:
        yield _tile("books", "good", t("system.balanced"), t("system.balanced_detail"))
    else:
        detail = t("system.unbalanced_detail", count=formats.number(unaccounted(books)))
        yield _tile("books", "bad", t("system.unbalanced"), detail)
    yield _outcomes(statistics.outcomes_behind_seconds)
    waiting = statistics.deliveries.get("pending", 0)
    words = t("system.backlog", count=formats.number(waiting)) if waiting else t("system.backlog_none")
    yield _tile("backlog", "busy" if waiting else "good", words, place=("delivery", {}))


def _listener(report: HealthReport | None, statistics: ServiceStatistics | None) -> Tile:
    if report is None or statistics is None:
        return _unknown("listener")
    if report.listener == "polling":
        return _tile("listener", "warning", t("system.polling"), t("system.polling_detail"))
    if report.listener == "listen":
        return _tile("listener", "good", t("system.listens"), t("system.listens_detail"))
    return _tile("listener", "bad", t("system.no_listener"), t("system.no_worker_detail"))


def _workers(workers: Sequence[WorkerState], now: datetime) -> Tile:
    alive = [worker for worker in workers if not is_dead(worker, now)]
    if not alive:
        return _tile("workers", "bad", t("system.no_worker"), t("system.no_worker_detail"))
    running = t("system.workers_run", count=len(alive))
    if missing := missing_shards(workers, now):
        return _tile("workers", "bad", running, t("system.shards_missing", count=len(missing), all=SHARDS))
    if troubled := next((worker.trouble for worker in alive if worker.trouble), None):
        return _tile("workers", "warning", running, formats.plain(troubled))
    if any(map(is_behind, alive)):
        lag = max(worker.lag_seconds or 0.0 for worker in alive)
        return _tile("workers", "warning", running, t("system.behind", duration=formats.duration(lag)))
    return _tile("workers", "good", running, t("system.up_to_date"))


def _models(counts: ModelCounts) -> Tile:
    if not counts.live:
        return _tile("models", "off", t("system.models_none"), t("system.models_none_detail"), ("import", {}))
    detail = t("system.models_shadow", count=counts.shadow) if counts.shadow else ""
    return _tile("models", "good", t("system.models_live", count=counts.live), detail, ("manage", {}))


def _outcomes(behind: float | None) -> Tile:
    if behind is None:
        return _tile("outcomes", "off", t("system.no_clock"))
    if behind > MOST_OUTCOME_DELAY_SECONDS:
        return _tile("outcomes", "warning", t("system.behind", duration=formats.duration(behind)))
    return _tile("outcomes", "good", t("system.up_to_date"))


def _queue(report: HealthReport | None) -> Tile:
    if report is None or "jobs_waiting" not in report.details:
        return _unknown("queue")
    waiting, running = report.details["jobs_waiting"], report.details["jobs_running"]
    detail = t("system.queue_counts", waiting=formats.number(waiting), running=formats.number(running))
    if waiting and not running:
        return _tile("queue", "warning", t("system.queue_stands"), t("system.queue_stands_detail"), ("jobs", {}))
    if running:
        return _tile("queue", "busy", t("system.queue_runs"), detail, ("jobs", {}))
    return _tile("queue", "good", t("system.queue_empty"), place=("jobs", {}))


def _store(name: ServiceName, report: HealthReport | None) -> Tile:
    part = f"store_{name}"
    if report is None:
        return _unknown(part)
    level: Level = "good" if report.model_store == "writable" else "bad"
    return _tile(part, level, t(f"system.store_{report.model_store}"))


def _disk(seen: Seen) -> Tile:
    reports = _reports(seen)
    if not reports:
        return _unknown("disk")
    free = min(report.disk_free_bytes for report in reports)
    words = t("system.disk_free", size=formats.size(free))
    if free < LEAST_DISK_BYTES:
        return _tile("disk", "bad" if free < FULL_DISK_BYTES else "warning", words, t("system.disk_detail"))
    return _tile("disk", "good", words)


def _feeds(feeds: Sequence[CandleFeed] | None) -> Tile:
    if feeds is None:
        return _unknown("feeds")
    if not feeds:
        return _tile("feeds", "off", t("system.feeds_none"), t("system.feeds_none_detail"))
    failing = [feed for feed in feeds if feed.error]
    idle = [feed for feed in feeds if feed.updated_at is None]
    if failing:
        words = t("system.feeds_fail", count=len(failing), all=len(feeds))
        return _tile("feeds", "bad", words, formats.plain(failing[0].error or ""))
    if idle:
        return _tile("feeds", "warning", t("system.feeds_idle", count=len(idle), all=len(feeds)))
    return _tile("feeds", "good", t("system.feeds_good", count=len(feeds)))


def _packages(packages: Sequence[Package] | None) -> Tile:
    if packages is None:
        return _unknown("packages")
    used = [package for package in packages if package.status != "ARCHIVED"]
    if not used:
        return _tile("packages", "off", t("system.packages_none"), place=("packages", {}))
    failed = [package for package in used if package.warmup_status == "FAILED"]
    if failed:
        words = t("system.packages_failed", count=len(failed), all=len(used))
        query = {"model": failed[0].id}
        return _tile("packages", "warning", words, formats.plain(failed[0].warmup_error or ""), ("packages", query))
    warm = sum(package.warmup_status == "DONE" for package in used)
    words = t("system.packages_warm", count=warm, all=len(used))
    return _tile("packages", "good" if warm else "off", words, place=("packages", {}))
