"""The table of metrics in the documentation says what the four processes serve, no more and no less."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from prediction_service import app as prediction_app
from prediction_service.settings import PredictionSettings
from shared.db import Connection, Pool
from tests.support.expositions import Told, documented, scrape
from tests.support.models import activate_model
from tests.support.serving import served
from tests.support.training import training_settings
from training_service import app as training_app

# What the client library adds by itself.
LIBRARY = ("process_", "python_")


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@asynccontextmanager
async def worker(module: str, home: Path, database: str) -> AsyncIterator[str]:
    """Run a worker as a process; give the address of its metrics."""
    port = free_port()
    given = {
        **os.environ, "DB_DSN": database, "PUMPCAST_HOME": str(home), "PYTHONPATH": str(Path.cwd()),
        "LOG_LEVEL": "WARNING", "TRAINING_METRICS_PORT": port, "PREDICTION_METRICS_PORT": port,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, cwd=home, env=given)
    try:
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)


async def until_full(url: str) -> Told:
    """Wait until the worker serves, and has its pool."""
    async with asyncio.timeout(40):
        while True:
            try:
                told = await scrape(url)
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
                continue
            if "ml_db_pool_connections" in told.types:
                return told
            await asyncio.sleep(0.1)


async def fill(connection: Connection, pool: Pool, home: Path) -> None:
    """Let every total have something to tell."""
    active_id = await activate_model(pool, home)
    await connection.execute(
        "INSERT INTO prediction_stats (active_model_id, model_id, bucket_start, predictions, positives, tp)"
        " VALUES ($1, 1, now(), 2, 2, 2)", active_id,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO prediction_drift (active_model_id, model_id, day, rows, predictions, score_psi)"
        " VALUES ($1, 1, now()::date, 1, 1, 0.1)", active_id,
    )  # fmt: skip
    await connection.execute("UPDATE worker_positions SET clock = now()")


async def test_table_when_compared_with_all_four_processes_then_names_types_and_labels_are_the_same(
    configured: PredictionSettings, database: str, connection: Connection, pool: Pool, tmp_path: Path
):
    await fill(connection, pool, tmp_path)
    told: dict[str, Told] = {}
    training = training_app.build(training_settings(database, tmp_path))
    async with (
        worker("training_service.worker", tmp_path, database) as of_b,
        worker("prediction_service.worker", tmp_path, database) as of_d,
        served(training) as of_a,
        served(prediction_app.build(configured)) as of_c,
    ):
        for place, address in (("A", of_a), ("C", of_c)):
            # An answer of 500 and more: the model store is gone.
            async with aiohttp.ClientSession() as session, session.get(f"{address}/api/health/ready"):
                pass
            told[place] = await scrape(f"{address}/metrics")
        told["B"], told["D"] = await until_full(of_b), await until_full(of_d)
    _compare(told)


def _compare(told: dict[str, Told]) -> None:
    table = documented()
    served_types: dict[str, Any] = {}
    labels: dict[str, set[frozenset[str]]] = {}
    for place in "ABCD":
        for name, kind in told[place].types.items():
            if not name.startswith(LIBRARY):
                known = served_types.setdefault(name, (kind, []))
                assert known[0] == kind, f"{name} is of another type in {place}"
                known[1].append(place)
                labels.setdefault(name, set()).update(told[place].labels.get(name, set()))
    assert {name: (kind, "".join(places)) for name, (kind, places) in served_types.items()} == {
        name: (kind, places) for name, (kind, _, places) in table.items()
    }
    # Of troubles nothing is told before there is one.
    assert {name for name, seen in labels.items() if not seen} <= {"ml_errors_total"}
    assert {name: seen for name, seen in labels.items() if seen} == {
        name: {given} for name, (_, given, _) in table.items() if labels[name]
    }
