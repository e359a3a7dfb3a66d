"""From the commit of a row to the commit of its five predictions, and how many rows a second the live worker holds."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks.live_feed import COINS, Feed
from benchmarks.live_models import MODELS, Trained, activate_all, save_natives, train_all
from benchmarks.live_naive import TRIGGER
from benchmarks.live_watch import HOLD_SECONDS, SAMPLED, Held, Latency, Tell, Watch, queries, until
from benchmarks.programs import installed, running
from prediction_service.settings import PredictionSettings
from shared import cluster
from shared.db import Connection, connect, open_pool
from shared.embedded import database

ROOT = Path(__file__).resolve().parent.parent
HISTORY_ROWS = 20
RATE = 1_000
NAIVE_SECONDS = 10.0
P99_GOAL_MS = 50
RATE_GOAL = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that was measured."""

    fine: Latency
    """1,000 rows/s in 50 transactions a second."""
    coarse: Latency
    """The same in 10."""
    fast: Latency
    """5,000 rows/s."""
    held: Held
    naive_rate: float
    """Rows a second of the naive worker that never runs out of them."""
    flooded: Latency
    """Of the rows that it answered meanwhile."""
    naive: Latency
    """At half of its rate."""


def measure(tell: Tell) -> Figures:
    """Run the worker, then the naive one, on a server with its default settings."""
    tell("live: training 5 models")
    models = train_all()
    with tempfile.TemporaryDirectory(prefix="pumpcast-bench-") as folder:
        home = Path(folder)
        with (
            cluster.server(home / "postgres", options={"track_commit_timestamp": "on"}),
            database(PredictionSettings(db_dsn="", pumpcast_home=home)) as dsn,
        ):
            with psycopg.connect(dsn.replace("/pumpcast?", "/postgres?"), autocommit=True) as administration:
                administration.execute("CREATE DATABASE naive TEMPLATE pumpcast")
            return asyncio.run(_measure(home, dsn, dsn.replace("/pumpcast?", "/naive?"), models, tell))


async def _measure(home: Path, dsn: str, naive_dsn: str, models: list[Trained], tell: Tell) -> Figures:
    fine, coarse, fast, held = await _measure_worker(home, dsn, models, tell)
    naive_rate, flooded, naive = await _measure_naive(home, naive_dsn, models, tell)
    return Figures(fine=fine, coarse=coarse, fast=fast, held=held, naive_rate=naive_rate, flooded=flooded, naive=naive)


async def _measure_worker(
    home: Path, dsn: str, models: list[Trained], tell: Tell
) -> tuple[Latency, Latency, Latency, Held]:
    async with _connected(dsn) as stream, _connected(dsn) as questions:
        feed = await _prepared(stream)
        pool = await open_pool(dsn, application="bench")
        await activate_all(pool, home / "models" / "prediction", models)
        await pool.close()
        before = feed.committed
        program = installed("prediction-worker")
        with running(program, cwd=home, DB_DSN=dsn, PUMPCAST_HOME=str(home)) as worker:
            watch = Watch(feed=feed, connection=questions, worker=psutil.Process(worker.pid))
            await until(lambda: queries.fetchval(questions, "ready"), "the worker listens")
            tell(f"live: {RATE} rows/s in 50 transactions a second")
            fine = await watch.latency(rate=RATE, transactions_per_second=50)
            tell(f"live: {RATE} rows/s in 10 transactions a second")
            coarse = await watch.latency(rate=RATE, transactions_per_second=10)
            tell(f"live: {RATE_GOAL} rows/s")
            fast = await watch.latency(rate=RATE_GOAL, transactions_per_second=50, every=SAMPLED)
            held = await watch.highest_rate(before=before, tell=tell)
    return fine, coarse, fast, held


async def _measure_naive(home: Path, dsn: str, models: list[Trained], tell: Tell) -> tuple[float, Latency, Latency]:
    natives = home / "natives.pickle"
    save_natives(natives, models)
    program = [sys.executable, "-m", "benchmarks.live_naive", dsn, str(natives)]
    async with _connected(dsn) as stream, _connected(dsn) as questions:
        feed = await _prepared(stream)
        await stream.execute(TRIGGER)
        tell(f"live: the naive worker, {RATE} rows/s offered")
        with running(program, cwd=ROOT) as worker:
            watch = await _ready(worker, feed, questions)
            before = await queries.fetchval(questions, "predictions")
            sent, used = await watch.timed(RATE, 50, NAIVE_SECONDS)
            answered = await queries.fetchval(questions, "predictions") - before
        rate = answered / len(MODELS) / sent.seconds
        flooded = await watch.pairs(sent, 50, used, every=1)
        await stream.execute("TRUNCATE predictions")
        pace = max(1, int(rate / 2))
        tell(f"live: the naive worker at {pace} rows/s, half of what it took")
        with running(program, cwd=ROOT) as worker:
            watch = await _ready(worker, feed, questions)
            sent, used = await watch.timed(pace, pace, NAIVE_SECONDS)
            await until(lambda: _answered(questions, sent.rows + 1), "the naive worker takes every row")
            return rate, flooded, await watch.pairs(sent, pace, used, every=1)


async def _ready(worker: subprocess.Popen[str], feed: Feed, questions: Connection) -> Watch:
    assert worker.stdout is not None
    if not await asyncio.to_thread(worker.stdout.readline):
        raise SystemExit("live: the naive worker does not start")
    await feed.paced(rate=1, transactions_per_second=1, seconds=1)
    await until(lambda: _answered(questions, 1), "the naive worker answers")
    return Watch(feed=feed, connection=questions, worker=psutil.Process(worker.pid))


async def _answered(connection: Connection, rows: int) -> bool:
    return bool(await queries.fetchval(connection, "predictions") >= rows * len(MODELS))


async def _prepared(stream: Connection) -> Feed:
    feed = Feed(stream)
    await feed.history(HISTORY_ROWS)
    await stream.execute("VACUUM ANALYZE coin_metrics")
    return feed


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection]:
    connection = await connect(dsn, application="bench")
    try:
        yield connection
    finally:
        await connection.close()


def describe(found: Figures) -> str:
    """Say what the figures are of, in paragraphs."""
    stretches = {
        f"{RATE:,} rows/s, fine": found.fine,
        f"{RATE:,} rows/s, coarse": found.coarse,
        f"{RATE_GOAL:,} rows/s": found.fast,
        "highest rate": found.held.latency,
        f"row by row, {RATE:,} rows/s": found.flooded,
        "row by row, half of its rate": found.naive,
    }
    lines = "\n".join(
        f"| {name} | {one.rate:,.0f} | {one.transactions_per_second} | {one.p50_ms:,.1f} | {one.p99_ms:,.1f} "
        f"| {one.highest_ms:,.1f} | {one.cores:.2f} |"
        for name, one in stretches.items()
    )
    held, flooded = found.held, found.flooded
    p99, rate = found.fine.p99_ms <= P99_GOAL_MS, held.latency.rate >= RATE_GOAL and not held.lost
    return f"""
| stretch | rows/s | transactions/s | p50 ms | p99 ms | highest ms | cores of the worker |
|---|--:|--:|--:|--:|--:|--:|
{lines}

{COINS:,} coins of a simulated market, {len(MODELS)} models of 100 trees (3 XGBoost, 2 random forests; engineered
features of windows 5, 10, 15; calibrated), the real worker process, a PostgreSQL with its default settings (each
commit reaches the disk), all on this machine together with what inserts. Rows come by COPY. Latency is the time
between the commits of row and prediction in PostgreSQL's own book (`pg_xact_commit_timestamp`), of all rows; from
{RATE_GOAL:,} rows/s on of every twentieth.

Kept full, the worker took {held.flood_rate:,.0f} rows/s. The highest rate is one that was offered for
{HOLD_SECONDS:g} s without its lag growing; it was {held.highest_lag_seconds:.2f} s at most. Of all predictions owed
in the run {held.lost} are missing.

Row by row is the design of one history query per coin, features with pandas, one `predict_proba` of the native
library per model and one INSERT per prediction, on notifications of a trigger per row. Of the {flooded.rate:,.0f}
rows/s offered for {flooded.seconds:.0f} s it answered {found.naive_rate:.0f}, and its latency is of those: it grows
as long as that lasts.

Goals: p99 at most {P99_GOAL_MS} ms at {RATE:,} rows/s: {_met(p99)}. At least {RATE_GOAL:,} rows/s followed, nothing
lost: {_met(rate)}.
"""


def _met(goal: bool) -> str:
    return "met" if goal else "NOT met"


if __name__ == "__main__":
    print(describe(measure(lambda text: print(text, file=sys.stderr))))
