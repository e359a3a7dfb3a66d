"""Messages sent by hand: test events, one again, all that were lost; and what is shown of each."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from prediction_service.settings import PredictionSettings
from prediction_service.usecases import resending, sending
from shared.contracts.webhook import TrialMessage
from shared.db import Connection, Pool
from tests.support.live import until
from tests.support.outbox import predict, sending_messages, set_up
from tests.support.receiver import Receiver
from tests.support.serving import Api

STATUS = "SELECT status FROM webhook_deliveries WHERE id = $1"
SINCE = {"since": "2026-01-01T00:00:00Z"}


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once instead of after seconds."""
    monkeypatch.setattr(sending, "RETRY_SECONDS", (0.01,))
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.05)


async def test_test_event_when_asked_for_then_it_goes_the_way_of_all_messages_and_shows_what_came_of_it(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver
):
    secret = (await set_up(api, there.url, headers={"X-Team": "a"}))["secret"]
    there.answers = [web.Response(status=500, text="not yet")]
    status, made = await api.post("/api/webhooks/1/test")
    assert (status, made["status"], made["event_type"], made["coin_id"]) == (202, "pending", "webhook.test", None)
    async with sending_messages(pool, configured):
        await until(connection, STATUS, made["id"], expected="delivered")
    assert [request.headers["webhook-id"] for request in there.requests] == [made["webhook_id"]] * 2
    assert there.requests[1].headers["X-Team"] == "a"
    Webhook(secret).verify(there.requests[1].body, dict(there.requests[1].headers))
    assert TrialMessage.model_validate_json(there.requests[1].body).data.endpoint_id == 1
    _, shown = await api.get(f"/api/webhook-deliveries/{made['id']}")
    assert (shown["status"], shown["body"]["type"]) == ("delivered", "webhook.test")
    log = [(one["attempt"], one["status_code"], one["response"], one["url"]) for one in shown["attempt_log"]]
    assert log == [(1, 500, "not yet", there.url), (2, 200, "ok", there.url)]


async def test_delivery_when_resent_then_the_same_bytes_and_id_go_out_with_a_new_time_to_live(
    api: Api,
    pool: Pool,
    connection: Connection,
    configured: PredictionSettings,
    there: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    await set_up(api, there.url)
    await predict(pool, tmp_path)
    status, problem = await api.post("/api/webhook-deliveries/1/resend")
    assert (status, "is pending" in problem["detail"]) == (409, True)
    async with sending_messages(pool, configured):
        await until(connection, STATUS, 1, expected="delivered")
        # As if it had happened long ago, at last.
        there.answers = [web.Response(status=500)]
        monkeypatch.setattr(sending, "RETRY_SECONDS", (0.01, 600))
        await connection.execute(
            "UPDATE webhook_deliveries SET expires_at = expires_at - interval '1 day',"
            " created_at = created_at - interval '1 day', attempts = attempts + 40"
        )
        status, again = await api.post("/api/webhook-deliveries/1/resend")
        assert (status, again["status"], again["delivered_at"], again["attempts"]) == (202, "pending", None, 41)
        # The pauses between attempts start small again.
        await there.until(3)
        await until(connection, STATUS, 1, expected="delivered")
    assert len({(request.body, request.headers["webhook-id"]) for request in there.requests}) == 1
    row = await connection.fetchrow(
        "SELECT expires_at - resent_at AS life, attempts, attempts_before FROM webhook_deliveries"
    )
    assert row is not None
    # The horizon of its model, as at first.
    assert abs(row["life"] - timedelta(minutes=10)) < timedelta(seconds=1)
    assert (row["attempts"], row["attempts_before"]) == (43, 41)
    await api.call("PATCH", "/api/webhooks/1", json={"enabled": False})
    assert (await api.post("/api/webhook-deliveries/1/resend"))[0] == 409
    assert (await api.post("/api/webhooks/1/recover", SINCE))[0] == 409


async def test_endpoint_when_recovered_then_what_was_lost_since_goes_out_oldest_first_in_bounded_steps(
    api: Api,
    pool: Pool,
    connection: Connection,
    configured: PredictionSettings,
    there: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(resending, "MOST_RECOVERED", 4)
    await set_up(api, there.url, max_concurrency=1)
    await set_up(api, there.url + "/other", enabled=False)
    await predict(pool, tmp_path, coins=8)
    await api.post("/api/webhooks/1/test")
    # 1 too old, 2 to 6 lost, 7 delivered, 8 pending, 9 a lost test; 6 is the oldest.
    await connection.execute("""
        UPDATE webhook_deliveries SET
            status = CASE id WHEN 8 THEN 'pending' WHEN 7 THEN 'delivered' WHEN 3 THEN 'failed' ELSE 'expired' END,
            delivered_at = CASE id WHEN 7 THEN now() END,
            created_at = created_at - make_interval(mins => CASE id WHEN 1 THEN 120 WHEN 6 THEN 5 ELSE 0 END)
    """)
    ids = await connection.fetch("SELECT id, webhook_id FROM webhook_deliveries ORDER BY id")
    since = {"since": (await connection.fetchval("SELECT now() - interval '1 h'")).isoformat()}
    status, answer = await api.post("/api/webhooks/1/recover", since)
    assert (status, answer) == (202, {"endpoint_id": 1, "recovered": 4, "more": True})
    assert (await api.post("/api/webhooks/1/recover", since))[1] == {"endpoint_id": 1, "recovered": 1, "more": False}
    # Whoever asks once more while they wait sends nothing twice.
    assert (await api.post("/api/webhooks/1/recover", since))[1]["recovered"] == 0
    assert (await api.get("/api/webhooks/1"))[1]["pending"] == 6
    async with sending_messages(pool, configured):
        await until(connection, "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'", expected=0)
    number = {one["webhook_id"]: one["id"] for one in ids}
    sent = [number[request.headers["webhook-id"]] for request in there.requests]
    assert sorted(sent) == [2, 3, 4, 5, 6, 8]
    assert [one for one in sent if one != 8] == [6, 2, 3, 4, 5]


async def test_deliveries_when_filtered_then_each_filter_and_all_together_hold(
    api: Api, pool: Pool, connection: Connection, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    await predict(pool, tmp_path, coins=3)
    await set_up(api, there.url, send_modes=["positive_only"])
    await connection.execute("UPDATE prediction_active_models SET send_modes = '{all}'")
    await predict(pool, tmp_path, probability=0.5)
    await api.post("/api/webhooks/2/test")
    await connection.execute(
        "UPDATE webhook_deliveries SET created_at = '2026-01-01Z'::timestamptz + id * interval '1 h'"
    )

    async def ids(**query: Any) -> list[int]:
        status, body = await api.get("/api/webhook-deliveries", params=query)
        assert status == 200, body
        return [one["id"] for one in body["deliveries"]]

    assert await ids() == [5, 4, 3, 2, 1]
    assert await ids(coin_id="coin 0") == [4, 1]
    assert await ids(event_type="webhook.test") == [5]
    assert await ids(event_type="prediction.created") == [4]
    assert await ids(active_model_id=1) == [4, 3, 2, 1]
    assert await ids(active_model_id=2) == []
    assert await ids(date_from="2026-01-01T02:00:00Z", date_to="2026-01-01T04:00:00Z") == [4, 3, 2]
    assert await ids(endpoint_id=1, status="pending", event_type="prediction.alert", coin_id="coin 1",
                     active_model_id=1, date_from="2026-01-01T00:00:00Z") == [2]  # fmt: skip
    status, _ = await api.get(
        "/api/webhook-deliveries", params={"date_from": "2026-01-02T00:00:00Z", "date_to": "2026-01-01T00:00:00Z"}
    )
    assert status == 422


async def test_endpoint_when_one_request_at_a_time_then_all_senders_together_keep_to_it_and_to_the_order(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url, max_concurrency=1)
    await predict(pool, tmp_path, coins=12)
    there.delay_seconds = 0.02
    async with sending_messages(pool, configured), sending_messages(pool, configured):
        await until(connection, "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'", expected=12)
    assert there.most_at_once == 1
    assert [request.data["coin_id"] for request in there.requests] == [f"coin {number}" for number in range(12)]


async def test_message_when_it_expires_while_under_way_then_that_it_was_taken_counts(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    there.delay_seconds = 0.3
    await predict(pool, tmp_path)
    async with sending_messages(pool, configured):
        await there.until(1)
        await connection.execute("UPDATE webhook_deliveries SET expires_at = now()")
        await asyncio.sleep(0.15)
        assert await connection.fetchval(STATUS, 1) == "pending"
        await until(connection, STATUS, 1, expected="delivered")


async def test_senders_when_all_receivers_answer_at_once_then_connections_are_left_for_the_predictions(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    for number in range(4):
        await set_up(api, f"{there.url}/{number}", max_concurrency=8)
    await predict(pool, tmp_path, coins=16)
    # Every attempt of endpoint 1 is recorded only once this lock is gone.
    async with connection.transaction():
        await connection.execute("LOCK TABLE prediction_webhook_log IN SHARE MODE")
        async with sending_messages(pool, configured):
            await there.until(16)
            async with asyncio.timeout(5):
                held = [await pool.acquire() for _ in range(6)]
            for one in held:
                await pool.release(one)
            await connection.execute("ROLLBACK AND CHAIN")
            await until(connection, "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'", expected=64)
