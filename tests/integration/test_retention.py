"""Retention: old rows go while new ones come, owed outcomes and totals stay."""

import asyncio
from datetime import timedelta

import pytest

from prediction_service.usecases.retention import TOGETHER, delete_due, forget_activations
from tests.support.database import START
from tests.support.live import settings
from tests.support.predictions import store

OLD = 3 * TOGETHER + 17
FILL = """
INSERT INTO predictions (active_model_id, model_id, data_timestamp, probability, threshold, prediction, coin_id,
                         outcome, evaluated_at)
SELECT 1 + n % 2, 1, $1::timestamptz + n * interval '1 second', 0.5, 0.5, 1, 'c' || n,
       CASE WHEN $2 THEN 'tp' END, CASE WHEN $2 THEN now() END
FROM generate_series(1, $3::int) AS n
"""


@pytest.fixture
def two_days(database, tmp_path):
    return settings(database, tmp_path, prediction_retention_days=2)


@pytest.fixture
async def clock(pool):
    """Let the recording stand three days after START; one shard has fallen behind."""
    await pool.execute(
        "INSERT INTO worker_positions (name, high, clock)"
        " SELECT 'live-' || shard, 50, $1::timestamptz - shard * interval '1 day' FROM generate_series(0, 7) AS shard",
        START + timedelta(days=3),
    )


async def test_retention_when_no_days_are_set_then_everything_stays(pool, clock, database, tmp_path):
    await pool.execute(FILL, START, True, 10)
    await delete_due(pool, settings(database, tmp_path))
    assert await pool.fetchval("SELECT count(*) FROM predictions") == 10


async def test_retention_when_rows_are_old_then_they_go_while_others_come_and_totals_stay(pool, clock, two_days):
    await pool.execute(FILL, START, True, OLD)
    await pool.execute(
        "INSERT INTO prediction_stats (active_model_id, model_id, bucket_start, predictions, tp)"
        " VALUES (1, 1, $1, 3009, 3009), (2, 1, $1, 3008, 3008)", START,
    )  # fmt: skip
    totals = await pool.fetch("SELECT * FROM prediction_stats ORDER BY active_model_id")
    ended = asyncio.Event()

    async def write() -> int:
        written = 0
        while not ended.is_set():
            await store(pool, {"data_timestamp": START + timedelta(days=3), "coin_id": f"young {written}"})
            written += 1
        return written

    writing = asyncio.create_task(write())
    await asyncio.gather(delete_due(pool, two_days), delete_due(pool, two_days))
    ended.set()
    written = await writing

    assert written > 0
    assert await pool.fetchval("SELECT count(*) FROM predictions") == written
    assert await pool.fetchval("SELECT count(*) FROM predictions WHERE coin_id LIKE 'young %'") == written
    assert await pool.fetch("SELECT * FROM prediction_stats ORDER BY active_model_id") == totals


async def test_retention_when_an_older_recording_followed_a_newer_one_then_its_old_rows_go(pool, clock, two_days):
    await pool.execute(FILL, START + timedelta(days=180), True, TOGETHER + 50)
    await pool.execute(FILL, START, True, 20)
    await delete_due(pool, two_days)
    assert await pool.fetchval("SELECT count(*) FILTER (WHERE data_timestamp < $1) FROM predictions", START) == 0
    assert await pool.fetchval("SELECT count(*) FROM predictions") == TOGETHER + 50


async def test_retention_when_a_second_look_is_to_come_then_what_is_unresolved_waits_for_it(pool, clock, two_days):
    await pool.execute(FILL, START, True, 4)
    await pool.execute("UPDATE predictions SET outcome = 'unresolved' WHERE coin_id IN ('c1', 'c2')")
    await pool.execute(
        "INSERT INTO prediction_dues"
        " (active_model_id, model_id, target, data_from, data_to, first_id, last_id, due_at, is_second)"
        " VALUES (1, 1, '{}', $1::timestamptz, $1 + interval '1 minute', 1, 9, $1 + interval '9 days', true)",
        START,
    )
    await delete_due(pool, two_days)
    # The odd ones are of another model.
    assert await pool.fetchval("SELECT array_agg(coin_id) FROM predictions") == ["c2"]


async def test_retention_when_an_outcome_is_owed_then_the_row_waits_for_it(pool, clock, two_days):
    await pool.execute(FILL, START, False, 30)
    await pool.execute(FILL, START + timedelta(minutes=1), True, 3)

    await delete_due(pool, two_days)
    assert await pool.fetchval("SELECT count(*) FROM predictions") == 30

    await pool.execute("UPDATE predictions SET outcome = 'unresolved', evaluated_at = now()")
    await delete_due(pool, two_days)
    assert await pool.fetchval("SELECT count(*) FROM predictions") == 0


async def test_retention_when_a_row_is_exactly_so_old_then_it_stays(pool, clock, two_days):
    await pool.execute(FILL, START + timedelta(days=1) - timedelta(seconds=3), True, 5)
    await delete_due(pool, two_days)
    kept = await pool.fetch("SELECT data_timestamp FROM predictions ORDER BY 1")
    assert [row["data_timestamp"] - START for row in kept] == [timedelta(days=1, seconds=late) for late in (0, 1, 2)]


async def test_retention_when_the_recording_has_no_clock_yet_then_nothing_goes(pool, two_days):
    await pool.execute(FILL, START, True, 5)
    await delete_due(pool, two_days)
    assert await pool.fetchval("SELECT count(*) FROM predictions") == 5


async def test_retention_when_deliveries_have_ended_long_ago_then_they_go_with_their_attempts(pool, two_days):
    await pool.execute("INSERT INTO webhook_endpoints (url, secret) VALUES ('https://example.com', 's')")
    await pool.execute(
        "INSERT INTO webhook_deliveries (endpoint_id, webhook_id, event_type, body, status, delivered_at, expires_at,"
        " created_at, resent_at) SELECT 1, 'msg ' || n, 'prediction.alert', '', state, delivered, now(),"
        " now() - age::interval, resent FROM (VALUES"
        " (1, 'delivered', now(), '3 days', NULL), (2, 'expired', NULL, '3 days', NULL),"
        " (3, 'pending', NULL, '3 days', NULL), (4, 'failed', NULL, '3 days', now()),"
        " (5, 'failed', NULL, '1 day', NULL)) AS made (n, state, delivered, age, resent)"
    )
    await pool.execute(
        "INSERT INTO prediction_webhook_log (delivery_id, endpoint_id, attempt, url, duration_ms)"
        " SELECT id, 1, 1, 'https://example.com', 1 FROM webhook_deliveries"
    )

    await delete_due(pool, two_days)

    kept = await pool.fetch("SELECT webhook_id FROM webhook_deliveries ORDER BY id")
    assert [row["webhook_id"] for row in kept] == ["msg 3", "msg 4", "msg 5"]
    assert await pool.fetchval("SELECT count(*) FROM prediction_webhook_log") == 3


def span(start, until):
    """Give a time of activity between two ids; nothing was missing at its ends."""
    return {
        "from": {"high": start, "pending": []}, "until": None if until is None else {"high": until, "pending": []}
    }  # fmt: skip


async def test_activations_when_all_shards_have_passed_them_then_they_are_forgotten(pool, clock, two_days):
    done, open_end, recent = span(0, 40), span(60, None), span(45, 55)
    await pool.execute(
        "INSERT INTO prediction_active_models (model_id, model_name, model_type, target_variable, features,"
        " local_model_path, is_active, activation) SELECT n, 'm', 'xgboost', 'price_close', '[]', '/m.zip', $2, $1"
        " FROM generate_series(1, 1) AS n",
        [done, done, recent, open_end], True,
    )  # fmt: skip
    activation = "SELECT activation FROM prediction_active_models"
    # One shard has a row of the first times still before it.
    await pool.execute("UPDATE worker_positions SET pending = '[[7, 7]]' WHERE name = 'live-5'")
    await forget_activations(pool, two_days)
    assert await pool.fetchval(activation) == [done, done, recent, open_end]

    await pool.execute("UPDATE worker_positions SET pending = '[]'")
    await forget_activations(pool, two_days)
    assert await pool.fetchval(activation) == [recent, open_end]

    await pool.execute("UPDATE worker_positions SET high = 55")
    await forget_activations(pool, two_days)
    assert await pool.fetchval(activation) == [open_end]
