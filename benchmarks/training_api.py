"""How fast the training API answers while two jobs fit, and how long a preflight of a million rows takes."""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import numpy as np
import psycopg
import pyarrow as pa

from benchmarks.market import START, filled_database, simulated_table
from benchmarks.programs import free_port, installed, running
from shared.features.families import FAMILY

ROWS = 1_000_000
JOB_ROWS = 500_000
MODELS = 250
REQUESTS = 300
PATIENCE_SECONDS = 300.0
PREFLIGHTS = 5
P95_GOAL_MS, PREFLIGHT_GOAL_SECONDS = 50, 3
PATHS = ("/api/models?limit=100", "/api/queue?limit=100", "/health/live")
WINDOWS = (5, 10, 15, 30, 60)
# Models and jobs as the service wrote them, many times over.
COPIES = f"""
INSERT INTO ml_models SELECT (jsonb_populate_record(
    m, jsonb_build_object('id', 1000 + n, 'name', m.name || ' ' || n, 'run_key', NULL, 'job_id', 1000 + n))).*
FROM ml_models m, generate_series(1, {MODELS}) n WHERE m.id < 1000;
INSERT INTO ml_jobs SELECT (jsonb_populate_record(
    j, jsonb_build_object('id', 1000 + n, 'model_name', j.model_name || ' ' || n, 'run_key', NULL,
                          'result_model_id', 1000 + n))).*
FROM ml_jobs j, generate_series(1, {MODELS}) n WHERE j.id < 1000;
"""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long requests took, in milliseconds."""

    requests: int
    p50: float
    p95: float
    highest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that was measured."""

    idle: dict[str, Latency]
    """By path, while nothing else runs."""
    fitting: dict[str, Latency]
    """While two jobs fit."""
    steps: tuple[str, ...]
    """What the jobs said they did at the beginning and at the end of that."""
    preflight_seconds: float
    preflight_rows: int
    preflight: Latency
    """Of the list of models while preflights run."""


def measure(tell: Tell) -> Figures:
    """Run API and worker on a server of their own."""
    tell("training API: filling the database")
    table = simulated_table(minutes=660, coins_per_minute=12).slice(0, ROWS)
    with filled_database(table) as (home, dsn):
        return asyncio.run(_measure(home, dsn, table, tell))


async def _measure(home: Path, dsn: str, table: pa.Table, tell: Tell) -> Figures:
    port, settings = free_port(), {"DB_DSN": dsn, "PUMPCAST_HOME": str(home), "MAX_CONCURRENT_JOBS": "2"}
    middle, last = table["timestamp"][JOB_ROWS - 1].as_py(), table["timestamp"][-1].as_py()
    with (
        running(installed("training-api"), cwd=home, TRAINING_API_PORT=str(port), **settings),
        running(installed("training-worker"), cwd=home, **settings),
    ):
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            await _until(lambda: _answers(session), "the API answers")
            tell("training API: a first model")
            first = await _create(session, body("xgboost", START, START + (middle - START) / 10))
            await _until(lambda: _in_status(session, [first], "COMPLETED"), "the first model is ready")
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(COPIES.encode())
            tell("training API: requests to an idle service")
            idle = {path: await _latency(session, path) for path in PATHS}
            tell("training API: preflights")
            seconds, rows, beside = await _preflights(session, body("xgboost", START, last))
            jobs = [await _create(session, body("random_forest", START, middle, seed)) for seed in (1, 2)]
            tell("training API: waiting until two jobs fit")
            await _until(lambda: _fits(session, jobs), "both jobs fit")
            before = await _steps(session, jobs)
            tell("training API: requests beside two fits")
            fitting = {path: await _latency(session, path) for path in PATHS}
            after = await _steps(session, jobs)
            for job in jobs:
                await session.post(f"/api/queue/{job}/cancel")
    return Figures(
        idle=idle, fitting=fitting, steps=(*before, *after), preflight_seconds=seconds, preflight_rows=rows,
        preflight=beside,
    )  # fmt: skip


def body(kind: str, start: Any, end: Any, seed: int = 42) -> dict[str, Any]:
    """Give a request of 35 features; the forest is large enough to be fitted for minutes."""
    return {
        "name": f"{kind} {seed}",
        "model_type": kind,
        "features": [f"{family}_{window}" for family in FAMILY for window in WINDOWS],
        "train_start": start.isoformat(),
        "train_end": end.isoformat(),
        "future_minutes": 10,
        "min_percent_change": 30,
        "use_timeseries_split": False,
        "random_state": seed,
        "params": {"n_estimators": 400} if kind == "random_forest" else {},
    }


async def _latency(session: aiohttp.ClientSession, path: str) -> Latency:
    return _summary([await _timed(session, path) for _ in range(REQUESTS)])


async def _timed(session: aiohttp.ClientSession, path: str) -> float:
    started = time.perf_counter()
    async with session.get(path) as answer:
        await answer.read()
        if answer.status != 200:
            raise SystemExit(f"training API: {path} answers {answer.status}")
    return (time.perf_counter() - started) * 1000


def _summary(milliseconds: Sequence[float]) -> Latency:
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return Latency(requests=len(milliseconds), p50=float(p50), p95=float(p95), highest=max(milliseconds))


async def _preflights(session: aiohttp.ClientSession, request: dict[str, Any]) -> tuple[float, int, Latency]:
    taken: list[float] = []
    rows = 0
    beside: list[float] = []

    async def ask() -> None:
        nonlocal rows
        for number in range(PREFLIGHTS):
            # Another question each time: an answer that was kept would be no measurement.
            asked = request | {"min_percent_change": 30 + number}
            started = time.perf_counter()
            async with session.post("/api/models/preflight", json=asked) as answer:
                report = await answer.json()
            taken.append(time.perf_counter() - started)
            rows = report["rows"]

    asking = asyncio.create_task(ask())
    while not asking.done():
        beside.append(await _timed(session, PATHS[0]))
    await asking
    return median(taken), rows, _summary(beside)


async def _create(session: aiohttp.ClientSession, request: dict[str, Any]) -> int:
    async with session.post("/api/models/create", json=request) as answer:
        created = await answer.json()
        if answer.status != 201:
            raise SystemExit(f"training API: {json.dumps(created)}")
    return int(created["job_id"])


async def _jobs(session: aiohttp.ClientSession, jobs: Sequence[int]) -> list[dict[str, Any]]:
    found = []
    for job in jobs:
        async with session.get(f"/api/queue/{job}") as answer:
            found.append(await answer.json())
    failed = [f"{one['status']}: {one['error_msg']}" for one in found if one["status"] in {"FAILED", "CANCELLED"}]
    if failed:
        raise SystemExit(f"training API: {failed}")
    return found


async def _steps(session: aiohttp.ClientSession, jobs: Sequence[int]) -> list[str]:
    return [f"{one['progress_msg'] or one['status']}".partition(":")[0] for one in await _jobs(session, jobs)]


async def _in_status(session: aiohttp.ClientSession, jobs: Sequence[int], status: str) -> bool:
    return all(one["status"] == status for one in await _jobs(session, jobs))


async def _fits(session: aiohttp.ClientSession, jobs: Sequence[int]) -> bool:
    return all(step == "fit" for step in await _steps(session, jobs))


async def _answers(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/health/live") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"training API: waited in vain until {what}")
        await asyncio.sleep(0.2)


def describe(found: Figures) -> str:
    """Say what was measured, in paragraphs."""
    stretches = {"idle": found.idle, "two jobs fit": found.fitting}
    lines = [
        f"| `GET {path}`, {name} | {one.p50:.1f} | {one.p95:.1f} | {one.highest:.1f} | {one.requests:,} |"
        for path, (name, by_path) in itertools.product(PATHS, stretches.items())
        for one in (by_path[path],)
    ]
    beside = found.preflight
    lines.append(
        f"| `GET {PATHS[0]}`, preflights run | {beside.p50:.1f} | {beside.p95:.1f} | {beside.highest:.1f} "
        f"| {beside.requests:,} |"
    )
    table = "\n".join(["| | p50 ms | p95 ms | highest ms | requests |", "|---|--:|--:|--:|--:|", *lines])
    fast = max(one.p95 for one in found.fitting.values()) < P95_GOAL_MS
    short = found.preflight_seconds <= PREFLIGHT_GOAL_SECONDS
    during = " and ".join(dict.fromkeys(found.steps))
    return f"""
{table}

The real API process with {MODELS} models and as many jobs in its tables, one request after the other, and the real
worker process with two random forests of {JOB_ROWS:,} rows and 35 features under way (all the time at: {during}), two
threads each, on the same cores as PostgreSQL and what asks.

A preflight of {found.preflight_rows:,} rows takes {found.preflight_seconds:.2f} s (median of {PREFLIGHTS} different
questions).

Goals: p95 of the lists under {P95_GOAL_MS} ms while jobs fit: {_met(fast)}. At most {PREFLIGHT_GOAL_SECONDS} s for a
preflight of a million rows: {_met(short)}.
"""


def _met(goal: bool) -> str:
    return "met" if goal else "NOT met"


if __name__ == "__main__":
    print(describe(measure(lambda text: print(text, file=sys.stderr, flush=True))))
