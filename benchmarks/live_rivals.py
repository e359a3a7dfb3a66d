"""Other live workers under the same stream: the naive one, a kinder variant of it, a careful one with pandas."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import live_batched, live_naive
from benchmarks.live_feed import COINS, Feed
from benchmarks.live_models import MODELS, save_natives
from benchmarks.live_stage import Stage, streaming
from benchmarks.live_watch import Latency, Tell, Watch, queries, until
from benchmarks.programs import running
from shared.db import Connection

ROOT = Path(__file__).resolve().parent.parent
NAIVE_SECONDS = 8.0
BATCHED_SECONDS = 8.0
BATCHED_BEHIND = 3_000
RATE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """What the others take."""

    naive_rate: float
    """Rows a second of the naive worker that never runs out of them."""
    flooded: Latency
    """Of the rows that it answered meanwhile."""
    naive: Latency
    """At half of its rate."""
    shared_rate: float
    """Rows a second of the kinder one."""
    batched_rate: float
    """Rows a second of the careful one while it always finds more."""
    batched: Latency
    """At 1,000 rows/s."""


async def measure_rivals(stage: Stage, history_rows: int, tell: Tell) -> Rivals:
    """Run them one after the other."""
    home, dsn = stage.fresh("rivals")
    home.mkdir()
    natives = home / "natives.pickle"
    save_natives(natives, stage.models)
    async with streaming(dsn, coins=COINS, history_rows=history_rows) as (feed, questions):
        tell("live: a careful worker with pandas, as many rows as it takes")
        await questions.execute(live_batched.CURSOR.format(high=feed.committed))
        async with _running("batched", dsn, str(natives), feed=feed, questions=questions) as watch:
            batched_rate = await watch.flood(seconds=BATCHED_SECONDS, most=BATCHED_BEHIND)
            tell(f"live: the careful worker with pandas at {RATE} rows/s")
            batched = await watch.latency(rate=RATE, transactions_per_second=50, seconds=BATCHED_SECONDS)
        await questions.execute("TRUNCATE predictions")
        await questions.execute(live_naive.TRIGGER)
        tell(f"live: the naive worker, {RATE} rows/s offered")
        async with _running("naive", dsn, str(natives), "sketch", feed=feed, questions=questions) as watch:
            naive_rate, flooded = await _flooded(watch, questions)
        await questions.execute("TRUNCATE predictions")
        pace = max(1, int(naive_rate / 2))
        tell(f"live: the naive worker at {pace} rows/s, half of what it took")
        async with _running("naive", dsn, str(natives), "sketch", feed=feed, questions=questions) as watch:
            sent, used = await watch.timed(pace, pace, NAIVE_SECONDS)
            await until(lambda: _answered(questions, sent.rows + 1), "the naive worker takes every row")
            naive = await watch.pairs(sent, pace, used, every=1)
        await questions.execute("TRUNCATE predictions")
        tell(f"live: the kinder naive worker, {RATE} rows/s offered")
        async with _running("naive", dsn, str(natives), "shared", feed=feed, questions=questions) as watch:
            shared_rate, _ = await _flooded(watch, questions)
    stage.drop("rivals")
    return Rivals(
        naive_rate=naive_rate, flooded=flooded, naive=naive, shared_rate=shared_rate, batched_rate=batched_rate,
        batched=batched,
    )  # fmt: skip


@asynccontextmanager
async def _running(name: str, *arguments: str, feed: Feed, questions: Connection) -> AsyncIterator[Watch]:
    program = [sys.executable, "-m", f"benchmarks.live_{name}", *arguments]
    position = "batched_position" if name == "batched" else "position"
    with running(program, cwd=ROOT) as process:
        await _started(process, name)
        await feed.paced(rate=1, transactions_per_second=1, seconds=1)
        await until(lambda: _answered(questions, 1), f"the {name} worker answers")
        yield Watch(feed=feed, connection=questions, worker=psutil.Process(process.pid), position=position)


async def _started(process: subprocess.Popen[str], name: str) -> None:
    assert process.stdout is not None
    if not await asyncio.to_thread(process.stdout.readline):
        raise SystemExit(f"live: the {name} worker does not start")


async def _flooded(watch: Watch, questions: Connection) -> tuple[float, Latency]:
    before = await queries.fetchval(questions, "predictions")
    sent, used = await watch.timed(RATE, 50, NAIVE_SECONDS)
    answered = await queries.fetchval(questions, "predictions") - before
    return answered / len(MODELS) / sent.seconds, await watch.pairs(sent, 50, used, every=1)


async def _answered(connection: Connection, rows: int) -> bool:
    return bool(await queries.fetchval(connection, "predictions") >= rows * len(MODELS))
