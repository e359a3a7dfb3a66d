"""From the commit of a row to the commit of its five predictions, and how many rows a second the live worker holds."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.live_feed import COINS
from benchmarks.live_growth import Memory, Point, measure_growth, measure_memory
from benchmarks.live_models import train_all
from benchmarks.live_rivals import Rivals, measure_rivals
from benchmarks.live_stage import Stage, activate, streaming, worker
from benchmarks.live_watch import SAMPLED, Held, Latency, Tell
from prediction_service.settings import PredictionSettings
from shared import cluster
from shared.embedded import database

HISTORY_ROWS = 20
RATE = 1_000
FAST = 5_000
FINE_SECONDS, COARSE_SECONDS, FAST_SECONDS = 20.0, 10.0, 10.0


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
    rivals: Rivals
    growth: Sequence[Point]
    memory: Memory


def measure(tell: Tell) -> Figures:
    """Run the worker and the others, on a server with its default settings."""
    tell("live: training 5 models")
    models = train_all()
    with tempfile.TemporaryDirectory(prefix="pumpcast-bench-") as folder:
        home = Path(folder)
        with (
            cluster.server(home / "postgres", options={"track_commit_timestamp": "on"}),
            database(PredictionSettings(db_dsn="", pumpcast_home=home)) as dsn,
        ):
            return asyncio.run(_measure(Stage(home=home, dsn=dsn, models=models), tell))


async def _measure(stage: Stage, tell: Tell) -> Figures:
    fine, coarse, fast, held = await _measure_worker(stage, tell)
    rivals = await measure_rivals(stage, HISTORY_ROWS, tell)
    growth = await measure_growth(stage, HISTORY_ROWS, tell)
    memory = await measure_memory(stage, tell)
    return Figures(fine=fine, coarse=coarse, fast=fast, held=held, rivals=rivals, growth=growth, memory=memory)


async def _measure_worker(stage: Stage, tell: Tell) -> tuple[Latency, Latency, Latency, Held]:
    home, dsn = stage.fresh("live")
    home.mkdir()
    async with streaming(dsn, coins=COINS, history_rows=HISTORY_ROWS) as (feed, questions):
        await activate(home, dsn, stage.models)
        before = feed.committed
        async with worker(home, dsn, feed, questions) as watch:
            tell(f"live: {RATE} rows/s in 50 transactions a second")
            fine = await watch.latency(rate=RATE, transactions_per_second=50, seconds=FINE_SECONDS)
            tell(f"live: {RATE} rows/s in 10 transactions a second")
            coarse = await watch.latency(rate=RATE, transactions_per_second=10, seconds=COARSE_SECONDS)
            tell(f"live: {FAST} rows/s")
            fast = await watch.latency(rate=FAST, transactions_per_second=50, seconds=FAST_SECONDS, every=SAMPLED)
            held = await watch.highest_rate(before=before, tell=tell)
    stage.drop("live")
    return fine, coarse, fast, held


if __name__ == "__main__":
    from benchmarks.live_report import describe

    print(describe(measure(lambda text: print(text, file=sys.stderr))))
