"""The verb `demo`: rows in, models trained and proved, imported, live rows predicted, webhooks received."""

import asyncio
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import typer

from prediction_service.settings import PredictionSettings
from pumpcast.console import progress, tell
from pumpcast.demo.receiver import Received, receiver
from pumpcast.demo.services import Services
from pumpcast.demo.summary import Summary, queries, show_summary, summarise
from pumpcast.market.candle_feed import feed_candles
from pumpcast.market.files import FileRows, read_file
from pumpcast.market.load import load
from pumpcast.market.replay import in_range, replay
from pumpcast.market.simulate import simulate_history
from pumpcast.probe import apis
from pumpcast.supervision import Supervision, alone
from pumpcast.up import PROGRAMS
from shared import cluster
from shared.coin_metrics.rows import CoinRows
from shared.db import Pool, open_pool
from shared.embedded import database
from shared.errors import Invalid, PumpcastError, Unavailable
from shared.labels import Target, TimeTarget
from shared.settings import SECRET_FOLDERS, read_settings
from training_service.settings import TrainingSettings

GATE_NOT_MET: Final = 3
READY_SECONDS: Final = 90
DRAIN_SECONDS: Final = 60
LIVE_SHARE: Final = 0.25
CANDLES: Final = 1600
REPLAY_SECONDS: Final = 40
SIMULATED_MINUTES: Final = 600
SIMULATED_COINS_PER_MINUTE: Final = 1.5
FEATURES: Final = ("volume_sol", "num_buys", "num_sells", "bonding_curve_pct", "virtual_sol_reserves")
TARGET: Final = TimeTarget(
    target_var="price_close", future_minutes=10, min_percent_change=30.0, direction="up",
    label_mode="at_horizon", label_resolution="observed",
)  # fmt: skip


def tell_story(
    data: Annotated[
        Path | None, typer.Option(help="Parquet or CSV with rows of coin_metrics; default: simulated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated market.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Watch everything work once, below a temporary home: train on the earlier rows, predict the later ones live.

    Exit code 0 only when every live row was predicted exactly once by both models, and every alert arrived signed.
    """
    rows = _rows(data, seed)
    with tempfile.TemporaryDirectory(prefix="pumpcast-demo-") as folder, _environment(Path(folder)):
        summary = asyncio.run(_until_interrupted(_run(Path(folder), rows)))
    show_summary(summary, as_json=as_json)
    failures = summary.failures()
    if failures:
        tell("The demo failed: " + "; ".join(failures))
        raise SystemExit(GATE_NOT_MET)


def _rows(data: Path | None, seed: int) -> pa.Table:
    if data is None:
        tell(f"Simulating a market of {SIMULATED_MINUTES // 60} hours (seed {seed})")
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=SIMULATED_MINUTES)
        return simulate_history(
            seed=seed, start=start, minutes=SIMULATED_MINUTES, coins_per_minute=SIMULATED_COINS_PER_MINUTE
        )
    return read_file(data, table="coin_metrics").rows


def _split(rows: pa.Table) -> tuple[pa.Table, pa.Table, datetime]:
    times = np.sort(rows["timestamp"].cast(pa.int64()).to_numpy())
    cut = datetime.fromtimestamp(int(times[int(len(times) * (1 - LIVE_SHARE))]) / 1e6, UTC)
    earlier = rows.filter(pc.less_equal(rows["timestamp"], pa.scalar(cut)))
    later = in_range(rows, since=cut + timedelta(microseconds=1), until=None)
    if not earlier.num_rows or not later.num_rows:
        raise Invalid("The rows are too few for a story: all of them stand at one moment")
    return earlier, later, cut


@contextmanager
def _environment(home: Path) -> Iterator[None]:
    """Point every process of the demo at its own home and at free ports, whatever the operator has set."""
    before, folder = dict(os.environ), Path.cwd()
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        training, prediction = one.getsockname()[1], two.getsockname()[1]
    for name in {**TrainingSettings.model_fields, **PredictionSettings.model_fields}:
        os.environ.pop(name.upper(), None)
    for name in SECRET_FOLDERS:
        os.environ.pop(name, None)
    os.environ |= {
        "PUMPCAST_HOME": str(home), "TRAINING_API_PORT": str(training), "PREDICTION_API_PORT": str(prediction),
        "TRAINING_SERVICE_API_URL": f"http://127.0.0.1:{training}/api", "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",
        "JOB_POLL_INTERVAL": "1",
    }  # fmt: skip
    # Where no .env lies either.
    os.chdir(home)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ |= before


async def _until_interrupted(story: Any) -> Summary:
    task: asyncio.Task[Summary] = asyncio.ensure_future(story)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise PumpcastError("Interrupted: everything the demo had started is stopped") from None


async def _run(home: Path, rows: pa.Table) -> Summary:
    started = time.monotonic()
    settings = read_settings(PredictionSettings)
    # The server keeps the time of every commit, so that latency is measured from commit to commit.
    with (
        alone(home),
        cluster.server(home / "postgres", options={"track_commit_timestamp": "on"}),
        database(settings) as dsn,
        Supervision(home, PROGRAMS, hurry=threading.Event()) as supervision,
    ):
        pool = await open_pool(dsn, application="demo")
        try:
            async with receiver() as received, aiohttp.ClientSession(trust_env=False) as session:
                training, prediction = apis()
                services = Services(session, training=f"{training.url}/api", prediction=f"{prediction.url}/api")
                await _wait_until_ready(supervision)
                return await _tell(pool, services, received, rows, started)
        finally:
            await pool.close()


async def _wait_until_ready(supervision: Supervision) -> None:
    tell("Starting PostgreSQL, both APIs and both workers")
    deadline = time.monotonic() + READY_SECONDS
    while troubles := [trouble for api in apis() if (trouble := await asyncio.to_thread(api.trouble))]:
        if time.monotonic() > deadline or not supervision.alive:
            raise Unavailable(f"Not ready: {'; '.join(troubles)}; {supervision.last_words('training-api')}")
        await asyncio.sleep(0.3)


async def _tell(pool: Pool, services: Services, received: Received, rows: pa.Table, started: float) -> Summary:
    earlier, later, cut = _split(rows)
    tell(f"Loading {earlier.num_rows:,} rows up to {cut:%Y-%m-%d %H:%M} UTC")
    await load(pool, FileRows(table="coin_metrics", rows=earlier, ignored=()))
    candles = await feed_candles(pool, stop=asyncio.Event(), bars=CANDLES, only_fill=True)
    tell(f"Simulated {candles.rows:,} candles of {candles.symbol} for the package that comes along")
    after_id = await queries.fetchval(pool, "highest")
    models = await _train(services, earlier, cut)
    received.secret = await services.add_webhook(received.url)
    active: list[tuple[int, dict[str, Any], Target]] = [
        (await services.bring(model["id"]), model, TARGET) for model in models
    ]
    tell(f"Imported {', '.join(model['name'] for model in models)}; webhooks go to {received.url}")
    await _wait_for_listener(services)
    await _replay(pool, later, received)
    return await summarise(
        pool, rows=CoinRows.from_arrow(rows), after_id=after_id, loaded=earlier.num_rows, models=active,
        received=received, seconds=time.monotonic() - started,
    )  # fmt: skip


async def _train(services: Services, earlier: pa.Table, cut: datetime) -> list[dict[str, Any]]:
    question = {
        "features": list(FEATURES), "use_engineered_features": True, "target_var": TARGET.target_var,
        "future_minutes": TARGET.future_minutes, "min_percent_change": TARGET.min_percent_change,
        "direction": TARGET.direction, "label_resolution": TARGET.label_resolution,
        "cv_splits": 3, "train_start": pc.min(earlier["timestamp"]).as_py().isoformat(), "train_end": cut.isoformat(),
    }  # fmt: skip
    tell("Training a random forest and an XGBoost model: does price_close rise 30 % within 10 minutes?")
    requests = [
        {**question, "name": "demo forest", "model_type": "random_forest"},
        {**question, "name": "demo xgboost", "model_type": "xgboost"},
    ]
    last = ""

    def told(text: str, _share: float) -> None:
        nonlocal last
        if text != last:
            tell(f"  {text}")
            last = text

    ids = await services.train(requests, told)
    return [await services.model(number) for number in ids]


async def _wait_for_listener(services: Services) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not await services.listening():
        if time.monotonic() > deadline:
            raise Unavailable("The live worker does not listen")
        await asyncio.sleep(0.2)


async def _replay(pool: Pool, later: pa.Table, received: Received) -> None:
    span = pc.subtract(pc.max(later["timestamp"]), pc.min(later["timestamp"])).as_py().total_seconds()
    speed = max(1.0, span / REPLAY_SECONDS)
    tell(f"Replaying {later.num_rows:,} later rows as if live, {speed:.0f} times as fast as they were recorded")
    with progress("live rows", total=later.num_rows) as advance:
        await replay(pool, later, speed=speed, keep_time=True, on_progress=advance)
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline:
        behind = await pool.fetchval(
            "SELECT min(high) < (SELECT max(id) FROM coin_metrics) FROM worker_positions WHERE name LIKE 'live-%'"
        )
        totals = await queries.fetchrow(pool, "totals", after_id=0)
        if not behind and totals is not None and not totals["waiting"]:
            return
        await asyncio.sleep(0.2)
    tell(f"Still not everything is done after {DRAIN_SECONDS} s; {len(received.messages)} messages have arrived")
