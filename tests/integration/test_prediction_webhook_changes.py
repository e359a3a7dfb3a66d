"""Webhook endpoints after they were set up: changed, looked at, given new secrets; what is secret stays so."""

from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from prediction_service.app import build
from prediction_service.settings import PredictionSettings
from prediction_service.usecases import sending, webhooks
from shared.db import Connection, Pool
from tests.support.live import settings, until
from tests.support.models import activate_model
from tests.support.outbox import predict, sending_messages, set_up
from tests.support.receiver import Receiver
from tests.support.serving import Api, api_of

N8N = "http://n8n:5678/hook"


async def change(api: Api, number: int, **changes: Any) -> tuple[int, Any]:
    return await api.call("PATCH", f"/api/webhooks/{number}", json=changes)


async def test_endpoint_when_changed_then_only_what_is_named_changes_and_the_next_message_follows_it(
    api: Api, pool: Pool, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    made = await set_up(api, there.url, headers={"X-Team": "a", "X-Old": "o"}, expires_after_seconds=60)
    status, changed = await change(api, made["id"], url=there.url + "/new", headers={"x-team": "***", "X-New": "n"})
    assert (status, changed["url"], changed["headers"]) == (200, there.url + "/new", {"x-team": "***", "X-New": "***"})
    kept = {"send_modes", "active_model_ids", "enabled", "expires_after_seconds", "max_concurrency", "created_at", "id"}
    assert {name: changed[name] for name in kept} == {name: made[name] for name in kept}
    given = {"send_modes": ["positive_only", "alerts_only"], "max_concurrency": 2, "expires_after_seconds": None}
    _, changed = await change(api, made["id"], **given)
    assert (changed["send_modes"], changed["max_concurrency"]) == (["alerts_only", "positive_only"], 2)
    assert changed["expires_after_seconds"] is None
    await activate_model(pool, tmp_path)
    await pool.execute("UPDATE prediction_active_models SET send_modes = '{all}'")
    async with sending_messages(pool, configured) as poke:
        assert await predict(pool, tmp_path, probability=0.5) == 1
        poke.set()
        (request,) = await there.until(1)
    assert request.path == "/hook/new"
    assert (request.headers["x-team"], request.headers["X-New"]) == ("a", "n")
    assert "X-Old" not in request.headers
    assert (await change(api, made["id"], active_model_ids=[1]))[1]["active_model_ids"] == [1]
    assert (await change(api, made["id"], active_model_ids=None))[1]["active_model_ids"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""), ({"url": None}, ""), ({"headers": None}, ""), ({"enabled": None}, ""),
        ({"max_concurrency": None}, ""),
        ({"secret": "whsec_x"}, "/secret"), ({"max_concurrency": 0}, "/max_concurrency"),
        ({"max_concurrency": 33}, "/max_concurrency"), ({"max_concurrency": True}, "/max_concurrency"),
        ({"url": "http://127.0.0.1:9@evil.example/"}, "/url"), ({"url": "http://0x7f.1/"}, "/url"),
        ({"active_model_ids": [99]}, "/active_model_ids"), ({"headers": {"X-Unknown": "***"}}, "/headers"),
    ],
)  # fmt: skip
async def test_change_when_wrong_then_422_points_at_it_and_nothing_changes(
    api: Api, there: Receiver, body: dict[str, Any], pointer: str
):
    made = await set_up(api, there.url)
    status, problem = await change(api, made["id"], **body)
    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)
    (shown,) = (await api.get("/api/webhooks"))[1]["webhooks"]
    assert shown == made | {"secret": "***"}


@pytest.mark.parametrize(
    ("moved", "headers", "named"),
    [
        ("https://evil.example.com/take", None, "Authorization, X-Team"),
        ("https://evil.example.com/take", {"Authorization": "***", "X-Team": "b"}, "Authorization"),
        ("http://hooks.example.com/in", None, "Authorization, X-Team"),
        ("https://hooks.example.com:8443/in", {"x-team": "***"}, "x-team"),
    ],
)
async def test_address_when_it_moves_to_another_host_then_no_stored_header_value_goes_along(
    api: Api, connection: Connection, moved: str, headers: dict[str, str] | None, named: str
):
    stored = {"Authorization": "Bearer top", "X-Team": "a"}
    await set_up(api, "https://hooks.example.com/in", headers=stored)
    change_of = {"url": moved} if headers is None else {"url": moved, "headers": headers}
    status, problem = await change(api, 1, **change_of)
    assert (status, problem["errors"][0]["pointer"]) == (422, "/headers")
    assert f"give {named} anew" in problem["errors"][0]["detail"]
    assert await connection.fetchval("SELECT url FROM webhook_endpoints") == "https://hooks.example.com/in"
    assert (await change(api, 1, url="https://HOOKS.example.com.:443/new"))[0] == 200
    assert (await change(api, 1, url=moved, headers={"Authorization": "Bearer new"}))[0] == 200
    assert await connection.fetchval("SELECT headers FROM webhook_endpoints") == {"Authorization": "Bearer new"}


async def test_endpoint_when_unknown_then_404_for_whatever_is_asked(api: Api):
    assert (await change(api, 7, enabled=False))[0] == 404
    for path in ("", "/rotate", "/test", "/recover"):
        body = {"since": "2026-01-01T00:00:00Z"} if path == "/recover" else None
        status, problem = await api.call("POST" if path else "GET", f"/api/webhooks/7{path}", json=body)
        assert (status, problem["detail"]) == (404, "There is no webhook 7")
    for method, path in (("GET", ""), ("POST", "/resend")):
        status, problem = await api.call(method, f"/api/webhook-deliveries/7{path}")
        assert (status, problem["detail"]) == (404, "There is no delivery 7")


async def test_endpoint_when_enabled_again_then_why_and_since_when_it_failed_are_forgotten(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    there.answers = [web.Response(status=410, text="closed for good")]
    async with sending_messages(pool, configured):
        await predict(pool, tmp_path)
        await until(connection, "SELECT enabled FROM webhook_endpoints", expected=False)
        _, shown = await api.get("/api/webhooks/1")
        assert shown["disabled_reason"] == "the receiver answered 410 Gone"
        assert shown["failing_since"] is not None
        assert (shown["pending"], shown["last_24_hours"]) == (0, {"delivered": 0, "failed": 1, "expired": 0})
        error = shown["last_error"]
        assert (error["delivery_id"], error["attempt"], error["status_code"], error["error"]) == (1, 1, 410, None)
        assert (await api.post("/api/webhooks/1/test"))[0] == 409
        status, shown = await change(api, 1, enabled=True)
        assert (status, shown["enabled"], shown["disabled_reason"], shown["failing_since"]) == (200, True, None, None)
        await predict(pool, tmp_path)
        await until(connection, "SELECT status FROM webhook_deliveries WHERE id = 2", expected="delivered")
    assert (await api.get("/api/webhooks/1"))[1]["last_24_hours"] == {"delivered": 1, "failed": 1, "expired": 0}


async def test_secret_when_rotated_then_both_sign_for_a_day_and_a_second_rotation_ends_the_oldest(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, tmp_path: Path
):
    first = (await set_up(api, there.url))["secret"]
    status, rotated = await api.post("/api/webhooks/1/rotate")
    second = rotated["secret"]
    assert (status, second.startswith("whsec_"), second != first) == (200, True, True)
    assert (
        rotated["message"]
        == f"Until {rotated['previous_secret_expires_at'][:19]}Z the secret before signs beside the new one"
    )

    async def signing(count: int) -> list[bool]:
        await predict(pool, tmp_path)
        request = (await there.until(count))[-1]
        found = []
        for secret in (first, second, third):
            try:
                Webhook(secret).verify(request.body, dict(request.headers))
                found.append(True)
            except WebhookVerificationError:
                found.append(False)
        assert len(request.headers["webhook-signature"].split()) == sum(found)
        return found

    third = "whsec_" + "A" * 43 + "="
    async with sending_messages(pool, configured):
        assert await signing(1) == [True, True, False]
        third = (rotated := (await api.post("/api/webhooks/1/rotate"))[1])["secret"]
        assert "signs no more" in rotated["message"]
        assert await signing(2) == [False, True, True]
        _, shown = await api.get("/api/webhooks/1")
        assert (shown["secret"], shown["previous_secret_expires_at"]) == ("***", rotated["previous_secret_expires_at"])
        await connection.execute("UPDATE webhook_endpoints SET previous_secret_expires_at = now()")
        assert await signing(3) == [False, False, True]
    assert (await api.get("/api/webhooks/1"))[1]["previous_secret_expires_at"] is None


async def test_builtin_endpoint_when_changed_then_all_but_its_address_is_kept_over_restarts(
    database: str, tmp_path: Path
):
    async with api_of(build(settings(database, tmp_path, n8n_webhook_url=N8N))) as api:
        status, problem = await change(api, 1, url="https://example.com/")
        assert (status, "N8N_WEBHOOK_URL" in problem["detail"]) == (409, True)
        given = {"url": N8N, "headers": {"Authorization": "Bearer x"}, "send_modes": ["all"], "max_concurrency": 1,
                 "expires_after_seconds": 30, "enabled": False}  # fmt: skip
        status, changed = await change(api, 1, **given)
        assert status == 200
        assert (await api.post("/api/webhooks/1/rotate"))[1]["secret"].startswith("whsec_")
    for url in (N8N, "", "http://n8n:5678/moved"):
        async with api_of(build(settings(database, tmp_path, n8n_webhook_url=url))) as api:
            _, shown = await api.get("/api/webhooks/1")
            same = {"headers", "send_modes", "max_concurrency", "expires_after_seconds", "enabled"}
            assert {name: shown[name] for name in same} == {name: changed[name] for name in same}
    async with api_of(build(settings(database, tmp_path, n8n_webhook_url="http://n8n:5678/moved"))) as api:
        assert (await change(api, 1, enabled=True))[1]["url"] == "http://n8n:5678/moved"
    async with api_of(build(settings(database, tmp_path))) as api:
        status, problem = await change(api, 1, enabled=True)
        assert (status, "set N8N_WEBHOOK_URL" in problem["detail"]) == (409, True)


async def test_endpoints_when_there_are_too_many_then_409_says_so(
    api: Api, there: Receiver, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(webhooks, "MOST_ENDPOINTS", 1)
    await set_up(api, there.url)
    status, problem = await api.post("/api/webhooks", {"url": there.url})
    assert (status, "delete one first" in problem["detail"]) == (409, True)


async def test_secrets_when_anything_fails_or_is_asked_for_then_no_answer_and_no_log_holds_them(
    api: Api,
    pool: Pool,
    connection: Connection,
    configured: PredictionSettings,
    there: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(sending, "RETRY_SECONDS", (0.01,))
    headers = {"Authorization": "Bearer hush-hush"}
    secret = (await set_up(api, there.url, headers=headers))["secret"]
    there.answers = [web.Response(status=500, text="not Bearer hush-hush"), web.Response(status=500)]
    texts = []
    with structlog.testing.capture_logs() as logged:
        secret_2 = (await api.post("/api/webhooks/1/rotate"))[1]["secret"]
        async with sending_messages(pool, configured):
            await predict(pool, tmp_path)
            await until(connection, "SELECT status FROM webhook_deliveries", expected="delivered")
        for method, path, body in [
            ("GET", "/api/webhooks", None), ("GET", "/api/webhooks/1", None), ("GET", "/api/webhook-deliveries", None),
            ("GET", "/api/webhook-deliveries/1", None), ("GET", "/api/health", None), ("GET", "/api/metrics", None),
            ("POST", "/api/webhooks/1/test", None), ("POST", "/api/webhook-deliveries/1/resend", None),
            ("PATCH", "/api/webhooks/1", {"headers": {"X-Bad": "hush-hush\n"}}),
            ("PATCH", "/api/webhooks/1", {"headers": {"X-Ok": "x", "Bearer hush-hush": "x"}}),
            ("PATCH", "/api/webhooks/1", {"headers": {"Bearer hush-hush": 5}}),
            ("PATCH", "/api/webhooks/1", {"headers": {**headers, "Host": "hush-hush"}}),
            ("PATCH", "/api/webhooks/1", {"headers": headers, "url": "http://10.0.0.1/"}),
            ("PATCH", "/api/webhooks/1", {"headers": headers}), ("DELETE", "/api/webhooks/1", None),
        ]:  # fmt: skip
            async with api.session.request(method, path, json=body) as answer:
                texts.append(await answer.text())
    assert any("not taken" in one["event"] for one in logged)
    assert any("not ***" in text for text in texts)
    for text in [*texts, str(logged)]:
        assert "hush-hush" not in text
        assert secret not in text
        assert secret_2 not in text
