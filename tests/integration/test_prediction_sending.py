"""The outbox: messages are sent until they are taken or too late."""

from itertools import repeat
from pathlib import Path

import pytest
from aiohttp import web

from prediction_service.clients import webhook as client
from prediction_service.settings import PredictionSettings
from prediction_service.store import deliveries, endpoints
from prediction_service.usecases import sending
from shared.db import Connection, Pool, transaction
from tests.support import outbox
from tests.support.database import insert_rows, row
from tests.support.live import running_worker, settings, until, until_live, until_predicted
from tests.support.models import activate_model
from tests.support.outbox import predict, sending_messages, set_up
from tests.support.receiver import Receiver, receiver
from tests.support.serving import Api

SLOT = "SELECT status FROM webhook_deliveries WHERE id = $1"


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once instead of after seconds."""
    monkeypatch.setattr(sending, "RETRY_SECONDS", (0.01,))
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.05)


async def test_alert_when_written_then_it_arrives_signed_and_the_attempt_is_kept(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    created = await set_up(api, there.url, headers={"X-Team": "a"})
    async with sending_messages(pool, configured) as poke:
        assert await predict(pool, tmp_path, coins=3) == 3
        poke.set()
        await there.until(3)
        await until(connection, "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'", expected=3)
    messages = [request.verified(created["secret"]) for request in there.requests]
    assert {message.type for message in messages} == {"prediction.alert"}
    assert sorted(message.data.coin_id for message in messages) == ["coin 0", "coin 1", "coin 2"]
    assert there.requests[0].headers["X-Team"] == "a"
    attempts = await connection.fetch("SELECT * FROM prediction_webhook_log")
    assert [(one["attempt"], one["status_code"], one["response"]) for one in attempts] == [(1, 200, "ok")] * 3
    assert await connection.fetchval("SELECT last_success_at IS NOT NULL FROM webhook_endpoints")


async def test_prediction_when_no_alert_or_no_endpoint_wants_it_then_nothing_is_written(
    api: Api, pool: Pool, there: Receiver, tmp_path: Path
):
    assert await predict(pool, tmp_path) == 0
    await set_up(api, there.url, enabled=False)
    assert await predict(pool, tmp_path) == 0
    await set_up(api, there.url)
    assert await predict(pool, tmp_path, probability=0.5) == 0
    assert await predict(pool, tmp_path) == 1


@pytest.mark.usefixtures("no_patience")
async def test_message_when_not_taken_then_the_same_bytes_and_id_come_again_until_they_are(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    created = await set_up(api, there.url)
    there.answers = [web.Response(status=500, text="broken"), web.Response(status=302), web.Response(status=429)]
    async with sending_messages(pool, configured):
        await predict(pool, tmp_path)
        await there.until(4)
        await until(connection, SLOT, 1, expected="delivered")
    assert len({(request.body, request.headers["webhook-id"]) for request in there.requests}) == 1
    assert there.requests[-1].verified(created["secret"]).data.coin_id == "coin 0"
    log = await connection.fetch("SELECT attempt, status_code, response FROM prediction_webhook_log ORDER BY id")
    assert [tuple(one) for one in log] == [(1, 500, "broken"), (2, 302, ""), (3, 429, ""), (4, 200, "ok")]
    assert await connection.fetchval("SELECT failing_since FROM webhook_endpoints") is None


@pytest.mark.parametrize(("attempt", "least", "most"), [(1, 0.8, 1.2), (2, 4, 6), (5, 480, 720), (40, 480, 720)])
def test_retry_when_attempts_failed_then_it_waits_longer_up_to_ten_minutes(attempt: int, least: float, most: float):
    assert all(least <= sending.retry_after(attempt) <= most for _ in range(100))


@pytest.mark.usefixtures("no_patience")
async def test_message_when_its_time_is_over_then_it_ends_as_expired_and_is_sent_no_more(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url, expires_after_seconds=1)
    there.answers = [web.Response(status=503) for _ in range(10_000)]
    async with sending_messages(pool, configured):
        await predict(pool, tmp_path)
        await until(connection, SLOT, 1, expected="expired")
        sent = len(there.requests)
        assert sent >= 1
        there.answers.clear()
        await predict(pool, tmp_path)
        await until(connection, SLOT, 2, expected="delivered")
    assert len({request.headers["webhook-id"] for request in there.requests[sent:]}) == 1


async def test_expiry_when_the_endpoint_sets_none_then_it_is_the_horizon_of_the_model(
    api: Api, pool: Pool, connection: Connection, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    await predict(pool, tmp_path)
    expires = await connection.fetchval("SELECT extract(epoch FROM expires_at - created_at) FROM webhook_deliveries")
    assert float(expires) == pytest.approx(600, abs=5)


async def test_receiver_when_it_answers_gone_then_the_endpoint_is_disabled_and_says_why(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    there.answers = [web.Response(status=410)]
    async with sending_messages(pool, configured):
        await predict(pool, tmp_path)
        await until(connection, SLOT, 1, expected="failed")
    (shown,) = (await api.get("/api/webhooks"))[1]["webhooks"]
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "the receiver answered 410 Gone")
    assert await predict(pool, tmp_path) == 0


@pytest.mark.usefixtures("no_patience")
async def test_receiver_when_it_failed_for_five_days_then_the_endpoint_is_disabled(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    await connection.execute("UPDATE webhook_endpoints SET failing_since = now() - interval '5 days 1 second'")
    there.answers = [web.Response(status=500)]
    async with sending_messages(pool, configured):
        await predict(pool, tmp_path)
        await until(
            connection, "SELECT disabled_reason FROM webhook_endpoints", expected="nothing but failures for 5 days"
        )


async def test_endpoint_when_dead_then_others_get_their_messages_meanwhile(
    api: Api,
    pool: Pool,
    configured: PredictionSettings,
    there: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(client, "TOTAL_SECONDS", 2)
    async with receiver() as dead:
        dead.delay_seconds = 60
        await set_up(api, dead.url)
        await set_up(api, there.url)
        async with sending_messages(pool, configured) as poke:
            await predict(pool, tmp_path, coins=40)
            poke.set()
            await there.until(40)
            # The dead one holds no more than its own lane.
            assert len(dead.requests) < 40


async def test_sender_when_killed_with_a_message_then_the_next_one_sends_it_and_a_late_end_changes_nothing(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    await predict(pool, tmp_path)
    async with transaction(pool) as own:
        (claimed,) = await deliveries.claim(own, 1, at_once=8, lease_seconds=0.3)
        assert await deliveries.claim(own, 1, at_once=8, lease_seconds=0.3) == []
    async with sending_messages(pool, configured):
        await until(connection, SLOT, 1, expected="delivered")
    assert len(there.requests) == 1
    async with transaction(pool) as own:
        assert not await deliveries.finish(own, claimed, status="failed", status_code=500, error=None)
    assert await connection.fetchval(SLOT, 1) == "delivered"


async def test_senders_when_two_run_then_each_message_is_sent_once(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    await predict(pool, tmp_path, coins=100)
    async with sending_messages(pool, configured), sending_messages(pool, configured):
        await until(connection, "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'", expected=100)
    assert len({request.headers["webhook-id"] for request in there.requests}) == len(there.requests) == 100


async def test_senders_when_one_claims_then_another_passes_by_and_then_counts_what_is_under_way(
    api: Api, pool: Pool, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url, max_concurrency=1)
    await predict(pool, tmp_path, coins=2)
    async with transaction(pool) as one, transaction(pool) as other:
        assert await endpoints.lock_to_send(one, 1) is not None
        assert await endpoints.lock_to_send(other, 1) is None
        assert len(await deliveries.claim(one, 1, at_once=1, lease_seconds=15)) == 1
        # The live worker writes messages for the endpoint meanwhile.
        assert await predict(pool, tmp_path) == 1
    async with transaction(pool) as other:
        assert await endpoints.lock_to_send(other, 1) is not None
        assert await deliveries.claim(other, 1, at_once=1, lease_seconds=15) == []
        assert len(await deliveries.claim(other, 1, at_once=3, lease_seconds=15)) == 2


async def test_message_when_its_work_is_done_again_then_it_is_there_once(
    api: Api, pool: Pool, connection: Connection, there: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    await set_up(api, there.url)
    monkeypatch.setattr(outbox, "_SECONDS", repeat(0))
    assert await predict(pool, tmp_path, coins=2) == 2
    before = await connection.fetch("SELECT * FROM webhook_deliveries ORDER BY id")
    assert await predict(pool, tmp_path, coins=3) == 1
    assert (await connection.fetch("SELECT * FROM webhook_deliveries ORDER BY id"))[:2] == before


async def test_address_when_inward_and_not_trusted_then_the_message_never_arrives(
    api: Api, pool: Pool, connection: Connection, database: str, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    async with sending_messages(pool, settings(database, tmp_path)):
        await predict(pool, tmp_path)
        await until(connection, "SELECT count(*) > 0 FROM prediction_webhook_log", expected=True)
    assert there.requests == []
    error = await connection.fetchval("SELECT error FROM prediction_webhook_log LIMIT 1")
    assert "not a public address" in error


async def test_rows_when_inserted_live_then_each_alert_arrives_once_with_what_is_stored(
    api: Api, connection: Connection, pool: Pool, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    created = await set_up(api, there.url)
    # The score follows volume_sol: alerts are the rows of 3 SOL and more.
    await activate_model(pool, tmp_path, column=0, scale=1.0, alert_threshold=0.95)
    async with running_worker(configured):
        await until_live(connection)
        for second in range(8):
            await insert_rows(
                connection, [row("a", second, volume_sol=float(second)), row("b", second, volume_sol=0.1)]
            )
        await until_predicted(connection, 16)
        await there.until(5)
        await until(connection, "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'", expected=5)
    stored = await connection.fetch("SELECT coin_id, data_timestamp, probability FROM predictions WHERE is_alert")
    messages = [request.verified(created["secret"]) for request in there.requests]
    assert {message.type for message in messages} == {"prediction.alert"}
    told = [(one.data.coin_id, one.data.timestamp, one.data.predictions[0].probability) for one in messages]
    assert sorted(told) == sorted(tuple(one) for one in stored)
    assert [one.data.price_close for one in messages] == [3e-8] * 5
