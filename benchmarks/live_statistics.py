"""How long the statistics of a model with ten million predictions take over HTTP, and to count them off the table."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp

from benchmarks.live_models import train_all
from benchmarks.live_stage import activate, connected
from benchmarks.live_watch import Tell, until
from benchmarks.programs import free_port, installed, running
from prediction_service.settings import PredictionSettings
from shared import cluster
from shared.db import Connection, Queries
from shared.embedded import database

ROWS = 10_000_000
REQUESTS = 100
GOAL_MS = 100
# Built afterwards, which is much quicker than row by row.
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'predictions' AND indexname LIKE 'idx_%'"

queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that was measured, in milliseconds."""

    p50: float
    p95: float
    highest: float
    counted: float
    """Counting the same off the table, once, after it was read before."""


def measure(tell: Tell) -> Figures:
    """Fill a database and ask the real API process."""
    with tempfile.TemporaryDirectory(prefix="pumpcast-bench-") as folder:
        home = Path(folder)
        with (
            cluster.server(home / "postgres"),
            database(PredictionSettings(db_dsn="", pumpcast_home=home)) as dsn,
        ):
            return asyncio.run(_measure(home, dsn, tell))


async def _measure(home: Path, dsn: str, tell: Tell) -> Figures:
    await activate(home, dsn, train_all()[:1])
    port = free_port()
    settings = {"DB_DSN": dsn, "PUMPCAST_HOME": str(home), "PREDICTION_API_PORT": str(port)}
    async with connected(dsn) as connection:
        active_id = int(await connection.fetchval("SELECT id FROM prediction_active_models"))
        tell(f"statistics: writing {ROWS:,} predictions")
        await _fill(connection, active_id)
        tell("statistics: asking")
        with running(installed("prediction-api"), cwd=home, **settings):
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
                path = f"/api/models/{active_id}/statistics"
                await until(lambda: _answers(session, path), "the prediction API answers")
                times = sorted([await _timed(session, path) for _ in range(REQUESTS)])
        tell("statistics: counting the table")
        await queries.fetch(connection, "counted", active_model_id=active_id)
        started = time.perf_counter()
        await queries.fetch(connection, "counted", active_model_id=active_id)
        counted = (time.perf_counter() - started) * 1000
    return Figures(p50=median(times), p95=times[int(0.95 * REQUESTS)], highest=times[-1], counted=counted)


async def _fill(connection: Connection, active_id: int) -> None:
    indexes = await connection.fetch(INDEXES)
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['indexname']}")
    await connection.execute(
        "ALTER TABLE predictions DROP CONSTRAINT uq_predictions_once, DROP CONSTRAINT predictions_pkey"
    )
    await queries.execute(connection, "fill", active_model_id=active_id, rows=ROWS)
    await connection.execute("ALTER TABLE predictions ADD PRIMARY KEY (id)")
    await connection.execute("ALTER TABLE predictions ADD UNIQUE (coin_id, data_timestamp, active_model_id)")
    for row in indexes:
        await connection.execute(row["indexdef"])
    for name in ("roll_up", "roll_up_bins"):
        await queries.execute(connection, name)
    await connection.execute("VACUUM ANALYZE predictions, prediction_stats, prediction_calibration")


async def _timed(session: aiohttp.ClientSession, path: str) -> float:
    started = time.perf_counter()
    async with session.get(path) as answer:
        body = await answer.json()
    if answer.status != 200 or body["total"]["predictions"] != ROWS:
        raise SystemExit(f"statistics: not those of {ROWS} predictions: {answer.status} {str(body)[:300]}")
    return (time.perf_counter() - started) * 1000


async def _answers(session: aiohttp.ClientSession, path: str) -> bool:
    try:
        async with session.get(path) as answer:
            return answer.status < 500
    except aiohttp.ClientError:
        return False


def describe(found: Figures) -> str:
    """Say what the figures are of."""
    return f"""
`GET /api/models/{{id}}/statistics` of a model with {ROWS:,} predictions of 90 days and three phases, all resolved, over
HTTP from the real API process, one request after the other: {found.p50:.1f} ms in the median of {REQUESTS}, p95
{found.p95:.1f} ms, {found.highest:.1f} ms at most. It reads roll-ups by hour and phase. The other way counts the
figures of the model, its days and its phases off the table in one query, whose pages were read before.

Goal: at most {GOAL_MS} ms: {"met" if found.p95 <= GOAL_MS else "NOT met"}.
"""
