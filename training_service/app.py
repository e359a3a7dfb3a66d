"""The training API as a process."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from shared.db import Pool
from shared.errors import PumpcastError
from shared.migrate import pending
from shared.settings import read_settings_or_exit
from shared.web.app import create_app, serve
from shared.web.health import HealthSource
from training_service.routes import cards, catalogue, events, jobs, models, preflight, results
from training_service.settings import TrainingSettings
from training_service.store import jobs as job_store
from training_service.usecases.preflight import Preflight
from training_service.usecases.totals import totals


def build(settings: TrainingSettings) -> FastAPI:
    """Give the app."""
    return create_app(
        title="pumpcast training",
        description="Ask for models, follow their jobs, fetch what was trained.",
        settings=settings,
        routers=[
            preflight.router,
            models.router,
            cards.router,
            results.router,
            jobs.router,
            events.router,
            catalogue.router,
        ],
        health=HealthSource(
            service="training",
            model_store=settings.model_folder("training"),
            details=_details,
            metrics=totals,
        ),
        resources=_resources,
    )


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings_or_exit(TrainingSettings)
    refuse_old_database(settings)
    serve(lambda: build(settings), settings=settings, service="training-api", port=settings.training_api_port)


def refuse_old_database(settings: TrainingSettings) -> None:
    """End a process that is starting with one line and exit code 1 when DB_DSN is unreachable or lacks migrations."""
    if not settings.db_dsn:
        return
    try:
        missing = pending(settings.db_dsn)
    except PumpcastError as error:
        sys.stderr.write(error.message + "\n")
        raise SystemExit(1) from None
    if missing:
        sys.stderr.write(f"the database of DB_DSN lacks {len(missing)} migrations: run `pumpcast migrate`\n")
        raise SystemExit(1)


@asynccontextmanager
async def _resources(app: FastAPI) -> AsyncIterator[None]:
    app.state.preflight = Preflight(app.state.dsn, max_rows=app.state.settings.max_training_rows)
    try:
        yield
    finally:
        await app.state.preflight.end()


async def _details(pool: Pool) -> tuple[Mapping[str, Any], str | None]:
    counts = await job_store.totals(pool)
    waiting = sum(jobs for (_, status), jobs in counts.items() if status == "PENDING")
    running = sum(jobs for (_, status), jobs in counts.items() if status == "RUNNING")
    return {"jobs_waiting": waiting, "jobs_running": running}, None


if __name__ == "__main__":
    main()
