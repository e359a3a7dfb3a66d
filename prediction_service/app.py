"""The prediction API as a process."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI

from prediction_service.clients.training import TrainingClient
from prediction_service.routes import (
    candles,
    models,
    packages,
    paper,
    predictions,
    promotions,
    signals,
    statistics,
    webhooks,
)
from prediction_service.runtime.packages.instances import Instances
from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models, deliveries, positions
from prediction_service.store.positions import Reported
from prediction_service.usecases import model_files, signatures, upload
from prediction_service.usecases.predict import LoadedModels
from prediction_service.usecases.seed import prepare
from prediction_service.usecases.totals import is_silent, totals
from prediction_service.usecases.warm_up import recover
from prediction_service.usecases.webhooks import sync_builtin
from shared.coin_metrics.read import layout
from shared.db import Pool, UndefinedColumn, UndefinedTable
from shared.settings import read_settings_or_exit
from shared.web.app import create_app, serve
from shared.web.health import HealthSource

log = structlog.get_logger(__name__)


def build(settings: PredictionSettings) -> FastAPI:
    """Give the app."""

    @asynccontextmanager
    async def resources(app: FastAPI) -> AsyncIterator[None]:
        app.state.uploads = upload.Uploads()
        await _tidy(app.state.pool, settings, app.state.uploads)
        url, key = settings.training_service_api_url, settings.training_service_api_key
        async with TrainingClient(url, api_key=key) as training:
            app.state.training = training
            app.state.models = LoadedModels(training, settings)
            app.state.instances = Instances()
            yield

    return create_app(
        title="pumpcast prediction",
        description="Import models, ask them, read what they said, have it sent.",
        settings=settings,
        routers=[models.router, promotions.router, predictions.router, statistics.router, webhooks.router],
        root_routers=[packages.router, candles.router, signals.router, paper.router],
        health=HealthSource(
            service="prediction",
            model_store=settings.model_folder("prediction"),
            details=lambda pool: _details(pool, settings),
            metrics=totals,
        ),
        resources=resources,
    )


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings_or_exit(PredictionSettings)
    serve(lambda: build(settings), settings=settings, service="prediction-api", port=settings.prediction_api_port)


async def _tidy(pool: Pool, settings: PredictionSettings, uploads: upload.Uploads) -> None:
    try:
        await model_files.sweep(pool, settings)
        await prepare(pool, settings, uploads)
        await sync_builtin(pool, settings)
        await recover(pool)
    except (UndefinedTable, UndefinedColumn):
        log.warning("the database lacks tables: run `pumpcast migrate`, then start again")


async def _details(pool: Pool, settings: PredictionSettings) -> tuple[Mapping[str, Any], str | None]:
    reported = await positions.reported(pool)
    table = await layout(pool, ())
    unsigned = await signatures.unsigned(pool, settings)
    facts = {
        **_workers(reported),
        "active_models": await active_models.count_active(pool),
        "webhook_backlog": await deliveries.count_pending(pool),
        "unsigned_models": unsigned,
    }
    return facts, _trouble(reported, table_exists=table is not None) or signatures.trouble(unsigned)


def _workers(reported: Sequence[Reported]) -> dict[str, Any]:
    """Sum up what the workers of all shards say: the worst of it counts."""
    said = [one.status for one in reported if one.status]
    beats = [status["beat"] for status in said]
    listeners = {status.get("listener") for status in said}
    return {
        "listener": "polling" if "polling" in listeners else next(iter(listeners), None),
        "lag_seconds": max((status.get("lag_seconds") or 0.0 for status in said), default=None),
        "worker_beat": min(beats, default=None),
        "workers": len({one.owner for one in reported if not is_silent(one)}),
    }


def _trouble(reported: Sequence[Reported], *, table_exists: bool) -> str | None:
    if not table_exists:
        return "the table coin_metrics does not exist yet: start the tracker or load data"
    silent = [one.shard for one in reported if is_silent(one)]
    if len(silent) == len(reported):
        return "no prediction worker is running: start prediction-worker"
    if silent:
        return f"{len(silent)} of {len(reported)} parts of the coins have no prediction worker: start prediction-worker"
    for one in reported:
        if one.status.get("trouble"):
            return f"the prediction worker has trouble: {one.status['trouble']}"
    if any(one.status.get("listener") != "listen" for one in reported):
        return "the prediction worker polls: no notification reaches it"
    return None


if __name__ == "__main__":
    main()
