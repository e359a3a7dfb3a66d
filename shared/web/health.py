"""Health routes: is it alive, is it ready, what is wrong."""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from yoyo.connections import default_migration_table

from shared.contracts.health import Alive, HealthReport, Ready
from shared.db import ConnectionLost, Pool, PostgresError, UndefinedTable
from shared.migrate import names
from shared.process_metrics import pool_families
from shared.web.problems import problem

DISK_FLOOR_BYTES = 500 << 20
_SUMMARY = ("listener", "lag_seconds")


async def lacks_migrations(pool: Pool) -> bool:
    """Tell whether the database lacks migrations."""
    try:
        # The table's name is a constant of the library.
        rows = await pool.fetch(f"SELECT migration_id FROM {default_migration_table}")  # nosec B608 # noqa: S608
    except UndefinedTable:
        return True
    return not set(names()) <= {row["migration_id"] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSource:
    """What the health routes of one service look at."""

    service: str
    model_store: Path
    details: Callable[[Pool], Awaitable[tuple[Mapping[str, Any], str | None]]]
    """Facts of this service, and the sentence that makes it degraded, or None; a live worker's `listener` and
    `lag_seconds` stand in the summary."""
    metrics: Callable[[Pool], Awaitable[list[Metric]]]
    """Totals from the database for Prometheus."""
    migrations_pending: Callable[[Pool], Awaitable[bool]] = lacks_migrations
    """True while the database lacks migrations."""
    started: float = field(default_factory=time.time)


def health_router(source: HealthSource) -> APIRouter:
    """Give the routes `/health`, `/health/live`, `/health/ready` and `/metrics`."""
    router = APIRouter(tags=["health"])

    # A service that waits for no rows says nothing of how it hears of them.
    @router.get("/health", summary="What works and what does not", response_model_exclude_unset=True)
    async def health(request: Request, response: Response) -> HealthReport:
        report = await examine(source, request.app.state.pool)
        response.status_code = 200 if report.db_connected else 503
        return report

    @router.get("/health/live", summary="The process runs")
    async def live() -> Alive:
        return Alive()

    @router.get("/health/ready", summary="The service can work", response_model=Ready)
    async def ready(request: Request) -> Any:
        report = await examine(source, request.app.state.pool)
        failing = _failing(report)
        if failing:
            return problem(request, status=503, code="not_ready", detail=failing)
        return Ready()

    @router.get("/metrics", summary="Totals for Prometheus", response_class=Response)
    async def metrics(request: Request) -> Response:
        pool = request.app.state.pool
        connected = await _database_answers(pool)
        _, free = _look_at_store(source.model_store)
        families: list[Metric] = [
            GaugeMetricFamily("ml_db_connected", "1 while the database answers", float(connected)),
            GaugeMetricFamily("ml_service_uptime_seconds", "Seconds since the start", time.time() - source.started),
            GaugeMetricFamily("ml_disk_free_bytes", "Free bytes where model files lie", free),
            *pool_families(pool),
        ]
        if connected:
            families += await source.metrics(pool)
        of_process = generate_latest(request.app.state.figures.registry)
        return Response(_exposition(families) + of_process, media_type=CONTENT_TYPE_LATEST)

    return router


async def examine(source: HealthSource, pool: Pool) -> HealthReport:
    """Look at every part."""
    connected = await _database_answers(pool)
    pending = await source.migrations_pending(pool) if connected else None
    facts: Mapping[str, Any] = {}
    trouble: str | None = "the database does not answer"
    if pending:
        trouble = "the database lacks migrations: run `pumpcast migrate`"
    elif connected:
        facts, trouble = await source.details(pool)
    store, free = _look_at_store(source.model_store)
    if store != "writable":
        trouble = trouble or f"the model store is {store.replace('_', ' ')}"
    if free < DISK_FLOOR_BYTES:
        trouble = trouble or f"only {free >> 20} MiB of disk are free"
    return HealthReport(
        status="degraded" if trouble else "healthy",
        service=source.service,
        db_connected=connected,
        uptime_seconds=round(time.time() - source.started, 1),
        start_time=datetime.fromtimestamp(source.started, UTC),
        last_error=trouble,
        disk_free_bytes=free,
        model_store=store,
        migrations="unknown" if pending is None else "pending" if pending else "current",
        details={name: fact for name, fact in facts.items() if name not in _SUMMARY},
        **{name: facts[name] for name in _SUMMARY if name in facts},
    )


def _failing(report: HealthReport) -> str | None:
    if not report.db_connected:
        return "database: it does not answer"
    if report.migrations == "pending":
        return "migrations: run `pumpcast migrate`"
    if report.model_store != "writable":
        return f"model store: {report.model_store}"
    return None


async def _database_answers(pool: Pool) -> bool:
    try:
        async with asyncio.timeout(2):
            await pool.fetchval("SELECT 1")
    except (*ConnectionLost, PostgresError):
        return False
    return True


def _look_at_store(folder: Path) -> tuple[Literal["writable", "missing", "read_only"], int]:
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if not folder.is_dir():
        return "missing", free
    return ("writable" if os.access(folder, os.W_OK) else "read_only"), free


class _Families:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _exposition(families: list[Metric]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Families(families))
    return generate_latest(registry)
