"""Outcomes beside what cannot be judged, is very much, or is kept in an unusual way."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from prediction_service.usecases import outcomes as module
from prediction_service.usecases.fold import fold_batches
from prediction_service.usecases.outcomes import Outcomes
from prediction_service.usecases.statistics import of_service
from shared.coin_metrics import spans
from shared.coin_metrics.rows import CoinRows
from shared.db import Connection, Pool
from tests.support.database import START, insert_rows, row
from tests.support.resolving import SETTINGS, predict_every_row, question, set_clock, settle


@pytest.mark.parametrize("kind", ["bigint", "numeric"])
async def test_outcomes_when_the_tracker_keeps_phases_as_another_kind_of_number_then_known(
    pool: Pool, connection: Connection, kind: str
):
    await insert_rows(connection, [row("a", 60 * at) for at in range(9)])
    await predict_every_row(connection, {1: question()})
    await connection.execute(f"ALTER TABLE coin_metrics ALTER COLUMN phase_id_at_time TYPE {kind}")
    await set_clock(connection)
    await settle(pool)
    assert await connection.fetchval("SELECT count(outcome) FROM predictions") == 3


async def test_outcomes_when_one_model_cannot_be_judged_then_the_others_are_and_it_is_when_it_can_be(
    pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "LEAST_PAUSE", 0.2)
    await insert_rows(connection, [row("a", 60 * at) for at in range(9)])
    await predict_every_row(connection, {model: question() for model in (1, 2, 3)})
    await set_clock(connection)
    while await fold_batches(pool, SETTINGS):
        pass
    # Not counted; and a question that a newer version asked.
    kept = await connection.fetch("DELETE FROM prediction_stats WHERE active_model_id = 1 RETURNING *")
    await connection.execute(
        """UPDATE prediction_dues SET target = target || '{"newer": 1}' WHERE active_model_id = 2 AND data_from = $1""",
        START,
    )
    outcomes = Outcomes()
    counted = "SELECT active_model_id, count(outcome) FROM predictions GROUP BY 1 ORDER BY 1"
    await settle(pool, outcomes)
    assert [tuple(one) for one in await connection.fetch(counted)] == [(1, 0), (2, 2), (3, 3)]
    # The first one was due at minute 6, the clock stands at 8.
    assert (await of_service(pool)).outcomes_behind_seconds == 120
    await connection.copy_records_to_table("prediction_stats", records=kept)
    await asyncio.sleep(0.3)
    await settle(pool, outcomes)
    assert [tuple(one) for one in await connection.fetch(counted)] == [(1, 3), (2, 2), (3, 3)]


async def test_outcomes_when_a_long_horizon_comes_after_a_short_one_then_no_chunk_is_read_that_is_too_large(
    pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "CHUNK_ROWS", 1_000)
    await connection.execute(
        "INSERT INTO coin_metrics (mint, timestamp, phase_id_at_time, price_close)"
        " SELECT 'coin ' || coin, $1::timestamptz + at * interval '20 s', 1, 3e-8"
        " FROM generate_series(0, 400) AS at, generate_series(1, 60) AS coin",
        START,
    )
    await predict_every_row(connection, {1: question(future_minutes=1), 2: question(future_minutes=120)})
    await connection.execute("DELETE FROM predictions WHERE active_model_id = 2 AND data_timestamp > $1", START)
    sizes, rows_of = [], spans.rows_of

    async def noted(*given: Any, **named: Any) -> CoinRows:
        rows = await rows_of(*given, **named)
        sizes.append(len(rows))
        return rows

    monkeypatch.setattr(spans, "rows_of", noted)
    outcomes = Outcomes()
    for minutes in (60, 130):
        await set_clock(connection, START + timedelta(minutes=minutes))
        await settle(pool, outcomes)
    assert await connection.fetchval("SELECT count(outcome) FROM predictions WHERE active_model_id = 2") == 60
    assert max(sizes) <= 1_000
