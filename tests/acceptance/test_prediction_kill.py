"""The prediction worker killed or frozen in the middle of a replay: each row has its one answer from each model."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prediction_service.usecases.leadership import LOCK
from shared.db import Connection, Pool, connect
from tests.support import books
from tests.support.arrivals import Shape, all_rows, answers_from_everything, stored_answers
from tests.support.database import insert_rows, row
from tests.support.live import until, until_live
from tests.support.models import activate_model
from tests.support.workers import worker

SHAPES = {1: Shape(column=1, scale=0.1), 2: Shape(column=3, scale=2.0)}
COINS = 220
TICKS = 25
KILLS = 12
FEWEST_KILLS = 8

pytestmark = pytest.mark.slow


def market(ticks: int = TICKS, *, coins: int = COINS, seed: int = 1) -> list[dict[str, Any]]:
    """Give rows of many coins, tick by tick, in every tick in another order."""
    rng = np.random.default_rng(seed)
    prices = np.full(coins, 3e-8)
    rows = []
    for tick in range(ticks):
        prices *= np.exp(rng.normal(0, 0.2, coins))
        rows += [
            row(
                f"coin{coin:03d}",
                5.0 * tick,
                price_close=float(prices[coin]),
                buy_volume_sol=float(rng.random()),
                sell_volume_sol=float(rng.random()),
            )
            for coin in rng.permutation(coins)
        ]
    return rows


async def replay(database: str, rows: list[dict[str, Any]], *, pause: float, seed: int) -> None:
    """Insert the rows in many small transactions."""
    rng = np.random.default_rng(seed)
    connection = await connect(database, application="tests")
    try:
        at = 0
        while at < len(rows):
            size = int(rng.integers(1, 20))
            await insert_rows(connection, rows[at : at + size])
            at += size
            await asyncio.sleep(pause * float(rng.random()))
    finally:
        await connection.close()


async def two_models(pool: Pool, home: Path) -> dict[int, int]:
    return {
        number: await activate_model(pool, home, model_id=number, column=shape.column, scale=shape.scale)
        for number, shape in SHAPES.items()
    }


async def check_books(connection: Connection, active: dict[int, int]) -> None:
    """See that each row has one answer from each model, the one an undisturbed worker gives."""
    counted = await books.check_books(connection)
    assert counted.predictions == counted.owed
    rows = await all_rows(connection)
    for number, shape in SHAPES.items():
        expected = answers_from_everything(rows, shape)
        said = await stored_answers(connection, active[number])
        assert said == pytest.approx(expected, abs=1.1e-6)


async def predicted(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM predictions"))


async def until_more_predicted(connection: Connection, than: int) -> None:
    for _ in range(1200):
        if await predicted(connection) > than:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"no more than {than} predictions")


async def lock_sessions(connection: Connection) -> list[int]:
    """Give the server processes that hold shards."""
    records = await connection.fetch(
        "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = $1 AND objid < 8"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        LOCK,
    )
    return [record[0] for record in records]


async def test_kills_of_workers_at_random_moments_of_a_replay_cost_time_and_nothing_else(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    active = await two_models(pool, tmp_path)
    rows = market()
    assert len(rows) >= 5000
    rng = np.random.default_rng(4)
    feeding = asyncio.create_task(replay(database, rows, pause=0.09, seed=2))
    with ExitStack() as stack:
        running = [stack.enter_context(worker(database, tmp_path)) for _ in range(2)]
        for kill in range(KILLS):
            before = await predicted(connection)
            if before == 2 * len(rows) and kill >= FEWEST_KILLS:
                # On a slow machine the rows are over first.
                break
            await until_more_predicted(connection, before)
            await asyncio.sleep(1.5 * float(rng.random()))
            # One of two, whose coins the other has to take over, or both.
            for place in (0, 1) if kill % 3 == 2 else (int(rng.integers(2)),):
                assert running[place].poll() is None
                running[place].kill()
                running[place] = stack.enter_context(worker(database, tmp_path))
        await feeding
        await until(connection, "SELECT count(*) FROM predictions", expected=2 * len(rows))
    await check_books(connection, active)


async def test_freeze_inside_a_transaction_with_the_lock_held_blocks_the_other_for_seconds_only(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    active = await two_models(pool, tmp_path)
    rows = market(3, coins=50)
    blocker = await connect(database, application="tests")
    try:
        with worker(database, tmp_path) as first:
            await until_live(connection)
            (held_by,) = await lock_sessions(connection)
            await blocker.execute("BEGIN")
            await blocker.execute("SELECT FROM worker_positions WHERE name = 'live-7' FOR UPDATE")
            await insert_rows(connection, rows[:100])
            # Its predictions are written; now it waits to write its position.
            await until(
                connection,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " AND query LIKE '%UPDATE worker_positions%table_mark%'",
                expected=1,
            )
            first.send_signal(signal.SIGSTOP)
            await blocker.execute("ROLLBACK")
            with worker(database, tmp_path):
                await insert_rows(connection, rows[100:])
                await until(connection, "SELECT count(*) FROM predictions", expected=2 * len(rows))
                assert held_by not in await lock_sessions(connection)
                first.send_signal(signal.SIGCONT)
                await asyncio.sleep(3)
                assert first.poll() is None
    finally:
        await blocker.close()
    await check_books(connection, active)
