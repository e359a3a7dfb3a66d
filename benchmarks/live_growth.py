"""How the cost of a live row grows with models and coins, and what the worker's memory does over a million rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.live_feed import COINS
from benchmarks.live_models import MODELS, Trained
from benchmarks.live_stage import Stage, activate, streaming, worker
from benchmarks.live_watch import Tell, Watch, queries
from shared.db import Connection

MODEL_COUNTS = (1, 5, 20, 50)
COIN_COUNTS = (100, 5_000, 50_000)
WITH_MODELS = len(MODELS)
"""Models that answer while the number of coins grows."""
PREDICTIONS = 200_000
"""Of one point of the curves."""
MOST_ROWS = 40_000
BEHIND = 4_000
MEMORY_COINS = 100_000
MEMORY_ROWS = 1_000_000
LOOKS = 5
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What rows cost with so many models and coins."""

    models: int
    coins: int
    rate: float
    """Rows a second, all of them waiting at once."""
    worker_us: float
    """Processor time of the worker for a row, microseconds."""
    server_us: float
    """That of PostgreSQL for the worker: reading the row, writing its predictions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of the worker, in MB."""

    at_start: float
    """Before the first row."""
    looks: Sequence[tuple[int, float]]
    """Rows done, and what it held then."""
    rate: float
    """Rows a second, to the last one."""
    lost: int
    """Predictions that are owed and not there."""


async def measure_growth(stage: Stage, history_rows: int, tell: Tell) -> list[Point]:
    """Give a point for each number of models, and one for each number of coins."""
    home, dsn = stage.fresh("growth")
    home.mkdir()
    points, active = [], 0
    async with streaming(dsn, coins=COINS, history_rows=history_rows) as (feed, questions):
        for models in MODEL_COUNTS:
            await activate(home, dsn, [_numbered(stage.models, number) for number in range(active, models)])
            active = models
            async with worker(home, dsn, feed, questions) as watch:
                points.append(await _point(watch, questions, models, COINS, tell))
                if models == WITH_MODELS:
                    others = [coins for coins in COIN_COUNTS if coins != COINS]
                    points += [await _point(watch, questions, models, coins, tell) for coins in others]
    stage.drop("growth")
    return points


def _numbered(models: Sequence[Trained], number: int) -> Trained:
    """Give one of the models under an id of its own."""
    model = models[number % len(models)]
    name = f"{model.manifest.name} ({number + 1})"
    return replace(model, manifest=model.manifest.model_copy(update={"model_id": number + 1, "name": name}))


async def _point(watch: Watch, questions: Connection, models: int, coins: int, tell: Tell) -> Point:
    rows = min(MOST_ROWS, PREDICTIONS // models)
    tell(f"live: {rows:,} rows, {models} models, {coins:,} coins")
    watch.feed.coins = coins
    # The past of new coins is asked for once; that is not what is to be measured.
    await watch.whole(rows=max(2_000, coins if coins > COINS else 0), most=BEHIND)
    before = watch.processor_seconds(), await watch.server_seconds()
    sent = await watch.whole(rows=rows, most=BEHIND)
    after = watch.processor_seconds(), await watch.server_seconds()
    await questions.execute("TRUNCATE predictions")
    return Point(
        models=models, coins=coins, rate=sent.rows / sent.seconds, worker_us=(after[0] - before[0]) / sent.rows * 1e6,
        server_us=(after[1] - before[1]) / sent.rows * 1e6,
    )  # fmt: skip


async def measure_memory(stage: Stage, tell: Tell) -> Memory:
    """Let a fresh worker answer a million rows of coins that take turns."""
    home, dsn = stage.fresh("memory")
    home.mkdir()
    await activate(home, dsn, stage.models)
    looks, seconds = [], 0.0
    async with (
        streaming(dsn, coins=MEMORY_COINS, history_rows=0) as (feed, questions),
        worker(home, dsn, feed, questions) as watch,
    ):
        at_start = _resident(watch)
        for _ in range(LOOKS):
            tell(f"live: {feed.committed:,} of {MEMORY_ROWS:,} rows of {MEMORY_COINS:,} coins")
            seconds += (await watch.whole(rows=MEMORY_ROWS // LOOKS, most=3 * BEHIND)).seconds
            looks.append((feed.committed, _resident(watch)))
        done = await queries.fetchval(questions, "predictions")
        lost = feed.committed * len(stage.models) - done
    stage.drop("memory")
    return Memory(at_start=at_start, looks=looks, rate=looks[-1][0] / seconds, lost=lost)


def _resident(watch: Watch) -> float:
    return float(watch.worker.memory_info().rss / MEGABYTE)
