"""Totals for Prometheus equal what the tables hold, through failures and restarts; no deletion makes one fall."""

from pathlib import Path

from aiohttp import web
from prometheus_client import REGISTRY, generate_latest

from prediction_service.settings import PredictionSettings
from shared.db import Connection, Pool
from tests.integration.test_live_faults import LISTENER, kill
from tests.support.database import insert_rows, row
from tests.support.expositions import Told, take_apart
from tests.support.live import running_worker, until, until_live
from tests.support.models import activate_model
from tests.support.outbox import predict, set_up
from tests.support.receiver import Receiver, receiver
from tests.support.serving import Api

MINUTES_11 = 660
ROUNDS, COINS = 6, 10
MADE = ROUNDS * COINS
TAKEN = "SELECT sum((counters ->> 'rows')::int) FROM worker_positions"
RECONNECTS = "SELECT max((status ->> 'reconnects')::int) FROM worker_positions"
DELIVERED = "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'"
OWN = ("ml_listener_reconnects_total", "ml_webhook_duration_seconds_count", "ml_insert_to_prediction_seconds_count")


async def totals(api: Api) -> Told:
    async with api.session.get("/metrics") as answer:
        return take_apart(await answer.text())


def own() -> Told:
    """Give what the worker of this process tells."""
    return take_apart(generate_latest(REGISTRY).decode())


def counters(told: Told) -> dict[object, float]:
    """Give what may only rise."""
    kinds = ("_total", "_count", "_sum", "_bucket")
    return {key: value for key, value in told.values.items() if key[0].endswith(kinds)}


def assert_none_fell(before: Told, after: Told) -> None:
    later = counters(after)
    assert {key: (value, later.get(key)) for key, value in counters(before).items() if later.get(key, -1) < value} == {}


async def feed(connection: Connection, rounds: range) -> None:
    for number in rounds:
        await insert_rows(connection, [row(f"coin {coin}", 5 + 5 * number) for coin in range(COINS)])


async def until_measured(connection: Connection) -> None:
    """Wait until a worker has looked and found nothing: what comes from now on came while it was there."""
    await until_live(connection)
    caught_up = "SELECT bool_and((status ->> 'lag_seconds')::float8 = 0) FROM worker_positions WHERE name LIKE 'live-%'"
    await until(connection, caught_up, expected=True)


async def compare(connection: Connection, told: Told, active_id: str) -> dict[str, int]:
    """See that totals equal SQL; give the messages that ended."""
    assert told.by("ml_predictions_total", "active_model_id") == {active_id: MADE}
    assert await connection.fetchval("SELECT count(*) FROM predictions") == MADE
    alerts = await connection.fetchval("SELECT count(*) FROM predictions WHERE is_alert")
    assert (told.value("ml_alerts_triggered_total"), alerts) == (MADE, MADE)
    assert told.by("ml_rows_skipped_total", "reason") == {"duplicate": 1, "stale": 1}
    assert told.value("ml_rows_processed_total") == await connection.fetchval("SELECT count(*) FROM coin_metrics")
    rows = await connection.fetch("SELECT status, count(*) FROM webhook_deliveries GROUP BY status")
    ended = {record["status"]: int(record["count"]) for record in rows}
    assert told.value("ml_webhook_backlog") == ended.pop("pending", 0)
    assert told.by("ml_webhook_deliveries_total", "result") == ended
    assert ended["delivered"] == MADE
    assert ended["failed"] > 0
    assert told.by("ml_webhook_endpoints", "state") == {"ok": 1, "disabled": 1}
    return ended


async def test_totals_when_rows_fail_and_workers_restart_then_they_equal_sql_and_survive_deletions(
    api: Api, configured: PredictionSettings, pool: Pool, connection: Connection, there: Receiver, tmp_path: Path
):
    active_id = str(await activate_model(pool, tmp_path, column=0, scale=100.0))
    assert (await totals(api)).value("ml_predictions_total", active_model_id=active_id) == 0
    before = own()
    async with receiver() as gone:
        gone.answers = [web.Response(status=410)] * 99
        await set_up(api, there.url, send_modes=["all"])
        await set_up(api, gone.url, send_modes=["all"])
        async with running_worker(configured):
            await until_measured(connection)
            await feed(connection, range(ROUNDS // 2))
            assert await kill(connection, LISTENER) == 1
            await until(connection, RECONNECTS, expected=1)
            # Left out: a row that is known already, and one that comes eleven minutes late.
            await insert_rows(connection, [row("coin 1", 5), row("late", -MINUTES_11)])
            await until(connection, TAKEN, expected=MADE // 2 + 2)
            await until(connection, DELIVERED, expected=MADE // 2)
        halfway = await totals(api)
        # What the first worker said of itself must not pass for the second one.
        await connection.execute("UPDATE worker_positions SET status = '{}'")
        async with running_worker(configured):
            await until_measured(connection)
            await feed(connection, range(ROUNDS // 2, ROUNDS))
            await until(connection, DELIVERED, expected=MADE)
            await until(connection, "SELECT count(*) FROM prediction_batches", expected=0)
            await until(connection, "SELECT count(*) FROM webhook_deliveries WHERE is_sending", expected=0)
        after, worked = await totals(api), own()
    assert_none_fell(halfway, after)
    ended = await compare(connection, after, active_id)
    rose = {name: worked.values[name, frozenset()] - before.values[name, frozenset()] for name in OWN}
    assert rose["ml_listener_reconnects_total"] == 1
    attempts = await connection.fetchval("SELECT count(*) FROM prediction_webhook_log")
    assert rose["ml_webhook_duration_seconds_count"] == attempts
    assert rose["ml_insert_to_prediction_seconds_count"] == MADE

    await connection.execute("DELETE FROM predictions")
    await connection.execute("DELETE FROM webhook_endpoints")
    await connection.execute("UPDATE prediction_active_models SET is_active = false")
    left = await totals(api)
    assert_none_fell(after, left)
    assert left.by("ml_predictions_total", "active_model_id") == {active_id: MADE}
    assert left.by("ml_webhook_deliveries_total", "result") == ended
    assert left.value("ml_active_models") == 0


async def test_age_of_messages_when_an_old_one_is_sent_again_then_the_others_tell_it(
    api: Api, pool: Pool, connection: Connection, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url, send_modes=["all"])
    assert await predict(pool, tmp_path, coins=2) == 2
    await connection.execute("UPDATE webhook_deliveries SET created_at = now() - id * interval '1 hour'")
    assert 7_200 <= (await totals(api)).value("ml_webhook_oldest_seconds") < 7_300
    await connection.execute("UPDATE webhook_deliveries SET status = 'expired' WHERE id = 2")
    assert (await api.post("/api/webhook-deliveries/2/resend"))[0] == 202
    assert 3_600 <= (await totals(api)).value("ml_webhook_oldest_seconds") < 3_700
