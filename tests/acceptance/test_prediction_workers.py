"""Several prediction workers share the coins; they come, go, are killed and freeze, and each row has its one answer."""

import asyncio
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from prediction_service.usecases.models import activate, deactivate
from shared.db import Connection, Pool
from tests.acceptance.test_prediction_kill import check_books, market, replay, two_models, worker
from tests.support.live import until
from tests.support.models import activate_model

TAKE_OVER_SECONDS = 15

pytestmark = pytest.mark.slow


async def until_shared(connection: Connection, shares: list[int]) -> None:
    """Wait until so many workers report such numbers of shards."""
    await until(
        connection,
        "SELECT array_agg(shards ORDER BY shards) FROM (SELECT count(*)::int AS shards FROM worker_positions"
        " WHERE (status ->> 'beat')::timestamptz > now() - interval '5 s' GROUP BY owner) AS held",
        expected=shares,
    )


async def test_workers_when_they_come_go_die_and_freeze_then_each_row_has_one_answer_from_each_model(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    active = await two_models(pool, tmp_path)
    rows = market(20)
    feeding = asyncio.create_task(replay(database, rows, pause=0.1, seed=5))
    with ExitStack() as stack:
        first = stack.enter_context(worker(database, tmp_path))
        await until_shared(connection, [8])
        second = stack.enter_context(worker(database, tmp_path))
        await until_shared(connection, [4, 4])
        third = stack.enter_context(worker(database, tmp_path))
        await until_shared(connection, [2, 3, 3])
        second.kill()
        await until_shared(connection, [4, 4])
        first.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        await until_shared(connection, [8])
        assert time.monotonic() - began < TAKE_OVER_SECONDS
        first.send_signal(signal.SIGCONT)
        await until_shared(connection, [4, 4])
        # A rolling hand-over: the new one is there before the old one goes.
        stack.enter_context(worker(database, tmp_path))
        await until_shared(connection, [2, 3, 3])
        third.terminate()
        assert await asyncio.to_thread(third.wait, 20) == 0
        await until_shared(connection, [4, 4])
        await feeding
        await until(connection, "SELECT count(*) FROM predictions", expected=2 * len(rows))
        assert first.poll() is None
    await check_books(connection, active)
    noted = "SELECT sum((cell -> 2)::bigint) FROM prediction_batches, jsonb_array_elements(entries) AS entry,"
    journal = await connection.fetchval(f"{noted} jsonb_array_elements(entry -> 'cells') AS cell")
    stats = await connection.fetchval("SELECT sum(predictions) FROM prediction_stats")
    assert (journal or 0) + (stats or 0) == 2 * len(rows)


async def test_models_when_they_change_under_two_workers_then_no_row_is_answered_twice_or_by_none(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    active = await two_models(pool, tmp_path)
    rows = market(12)
    rng = np.random.default_rng(1)
    with worker(database, tmp_path), worker(database, tmp_path):
        await until_shared(connection, [4, 4])
        feeding = asyncio.create_task(replay(database, rows, pause=0.06, seed=6))
        extra = await activate_model(pool, tmp_path, model_id=3)
        number = 4
        while not feeding.done():
            await asyncio.sleep(float(rng.random()))
            await deactivate(pool, extra)
            await activate_model(pool, tmp_path, model_id=number)
            await activate(pool, extra)
            number += 1
        await feeding
        counts = "SELECT array_agg(DISTINCT number) FROM (SELECT count(*) AS number FROM predictions"
        await until(
            connection, f"{counts} WHERE active_model_id = ANY($1) GROUP BY active_model_id) AS counted",
            list(active.values()), expected=[len(rows)],
        )  # fmt: skip
    assert number > 6
    later = await connection.fetch(
        "SELECT said.active_model_id, row.id FROM predictions AS said"
        " JOIN coin_metrics AS row ON row.mint = said.coin_id AND row.timestamp = said.data_timestamp"
        " JOIN prediction_active_models AS model ON model.id = said.active_model_id"
        # Of the one that came and went, times of activity that owe nothing any more are forgotten.
        " WHERE row.id <= (model.activation -> 0 -> 'from' -> 'high')::bigint AND model.id <> $1", extra,
    )  # fmt: skip
    owed = await connection.fetch(
        "SELECT row.id, model.id FROM coin_metrics AS row CROSS JOIN prediction_active_models AS model"
        " WHERE jsonb_array_length(model.activation) = 1 AND model.activation -> 0 -> 'from' -> 'pending' = '[]'"
        " AND row.id > (model.activation -> 0 -> 'from' -> 'high')::bigint AND NOT EXISTS ("
        "  SELECT FROM predictions AS said WHERE said.active_model_id = model.id AND said.coin_id = row.mint"
        "  AND said.data_timestamp = row.timestamp)"
    )
    assert (later, owed) == ([], [])
