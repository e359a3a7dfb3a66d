"""Run the live worker inside a test, and compare what it wrote with what it owed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from prediction_service.settings import PredictionSettings
from prediction_service.worker import work
from shared.coin_metrics import read
from shared.db import Connection
from shared.features import FeatureSpec, build

PATIENCE_SECONDS = 30.0


def settings(dsn: str, home: Path, **changes: Any) -> PredictionSettings:
    return PredictionSettings(db_dsn=dsn, pumpcast_home=home, **changes)


@asynccontextmanager
async def running_worker(configured: PredictionSettings) -> AsyncIterator[None]:
    """Run the worker until the end of the block; its faults are the test's."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group, asyncio.timeout(4 * PATIENCE_SECONDS):
        group.create_task(work(configured, stop))
        try:
            yield
        finally:
            stop.set()


async def until(connection: Connection, query: str, *arguments: Any, expected: Any) -> None:
    """Wait for a query to give the expected value."""
    found = None
    for _ in range(int(PATIENCE_SECONDS / 0.05)):
        found = await connection.fetchval(query, *arguments)
        if found == expected:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{query} gives {found!r} after {PATIENCE_SECONDS} s, not {expected!r}")


async def until_predicted(connection: Connection, expected: int) -> None:
    """Wait until so many predictions are stored."""
    await until(connection, "SELECT count(*) FROM predictions", expected=expected)


async def until_live(connection: Connection) -> None:
    """Wait until a worker has taken the shards over and has its trigger and its models."""
    await until(
        connection,
        "SELECT coalesce(bool_and(owner IS NOT NULL AND status ->> 'listener' = 'listen'"
        " AND status ->> 'trouble' IS NULL), false) FROM worker_positions WHERE name LIKE 'live-%'",
        expected=True,
    )


async def skipped(connection: Connection) -> dict[str, int]:
    """Give the answers left out, by reason."""
    left_out = Counter[str]()
    for record in await connection.fetch("SELECT counters FROM worker_positions WHERE name LIKE 'live-%'"):
        left_out.update(record["counters"].get("skipped", {}))
    return dict(left_out)


async def offline_probabilities(
    connection: Connection, mint: str, features: tuple[str, ...], *, column: int, scale: float
) -> dict[Any, float]:
    """Compute by hand what the sigmoid model must say of every row of a coin: timestamp → probability."""
    rows = (await read.tail(connection, mint, at=None, rows=100_000)).deduplicated()
    feature = build(rows, FeatureSpec(features))[:, column].astype(np.float64)
    score = 1 / (1 + np.exp(-scale * np.where(np.isnan(feature), 0.0, feature)))
    return {read.moment(int(at)): float(value) for at, value in zip(rows.timestamp, score, strict=True)}
