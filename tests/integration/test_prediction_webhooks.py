"""Webhook endpoints and their deliveries over HTTP."""

from pathlib import Path
from typing import Any

import pytest

from prediction_service.app import build
from shared.db import Connection, Pool
from tests.support.live import settings
from tests.support.outbox import predict, sending_messages, set_up
from tests.support.receiver import Receiver
from tests.support.serving import Api, api_of


async def test_builtin_endpoint_when_the_setting_changes_then_it_follows_and_keeps_its_secret(
    pool: Pool, connection: Connection, database: str, there: Receiver, tmp_path: Path
):
    async def start(**changes: Any) -> dict[str, Any]:
        async with api_of(build(settings(database, tmp_path, **changes))) as api:
            (shown,) = (await api.get("/api/webhooks"))[1]["webhooks"]
            return dict(shown)

    first = await start(n8n_webhook_url=there.url)
    secret = await connection.fetchval("SELECT secret FROM webhook_endpoints")
    assert (first["name"], first["url"], first["enabled"], first["secret"]) == ("n8n", there.url, True, "***")
    unset = await start()
    assert (unset["enabled"], unset["disabled_reason"]) == (False, "N8N_WEBHOOK_URL is not set")
    assert (await start(n8n_webhook_url=there.url))["enabled"]
    moved = await start(n8n_webhook_url=there.url + "/other")
    assert (moved["id"], moved["url"]) == (first["id"], there.url + "/other")
    assert await connection.fetchval("SELECT secret FROM webhook_endpoints") == secret
    # The operator's own address is trusted though it lies inside the network.
    configured = settings(database, tmp_path, n8n_webhook_url=there.url + "/other")
    async with sending_messages(pool, configured):
        await predict(pool, tmp_path)
        (request,) = await there.until(1)
    assert request.verified(secret).type == "prediction.alert"


async def test_builtin_endpoint_when_deleted_over_http_then_409_says_where_it_comes_from(database: str, tmp_path: Path):
    async with api_of(build(settings(database, tmp_path, n8n_webhook_url="http://n8n:5678/hook"))) as api:
        status, problem = await api.call("DELETE", "/api/webhooks/1")
    assert (status, "N8N_WEBHOOK_URL" in problem["detail"]) == (409, True)


async def test_endpoint_when_created_then_its_secret_shows_once_and_headers_never(api: Api, there: Receiver):
    created = await set_up(api, there.url, headers={"Authorization": "Bearer top-secret"}, send_modes=["all", "all"])
    assert created["secret"].startswith("whsec_")
    assert created["headers"] == {"Authorization": "***"}
    assert created["send_modes"] == ["all"]
    async with api.session.get("/api/webhooks") as answer:
        text = await answer.text()
    assert "whsec_" not in text
    assert "top-secret" not in text
    assert await api.call("DELETE", f"/api/webhooks/{created['id']}") == (204, None)
    assert (await api.get("/api/webhooks"))[1] == {"webhooks": [], "total": 0}
    assert (await api.call("DELETE", f"/api/webhooks/{created['id']}"))[0] == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://10.0.0.1/"}, "/url"), ({"url": "http://localhost/"}, "/url"), ({"url": "ftp://example.com"},
        "/url"),
        ({"url": "https://u:p@example.com/"}, "/url"), ({"url": "https://example.com:99999/"}, "/url"), ({}, "/url"),
        ({"active_model_ids": [99]}, "/active_model_ids"), ({"active_model_ids": []}, "/active_model_ids"),
        ({"send_modes": []}, "/send_modes"), ({"send_modes": ["loud"]}, "/send_modes/0"), ({"secret": "x"}, "/secret"),
        ({"enabled": "yes"}, "/enabled"), ({"expires_after_seconds": 0}, "/expires_after_seconds"),
        ({"headers": {"Host": "x"}}, "/headers"),
    ],
)  # fmt: skip
async def test_endpoint_when_wrong_then_422_points_at_it_and_nothing_is_made(
    api: Api, connection: Connection, body: dict[str, Any], pointer: str
):
    given = body if pointer == "/url" else {"url": "https://example.com", **body}
    status, problem = await api.post("/api/webhooks", given)
    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)
    assert await connection.fetchval("SELECT count(*) FROM webhook_endpoints") == 0


async def test_deliveries_when_listed_then_filters_and_pages_work(
    api: Api, pool: Pool, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    await predict(pool, tmp_path, coins=5)
    await set_up(api, there.url, active_model_ids=[1])
    await predict(pool, tmp_path, coins=1)
    await pool.execute("UPDATE webhook_deliveries SET status = 'expired' WHERE id = 2")

    async def ids(**query: Any) -> tuple[list[int], str | None]:
        _, body = await api.get("/api/webhook-deliveries", params=query)
        return [one["id"] for one in body["deliveries"]], body["next_cursor"]

    assert (await ids())[0] == [7, 6, 5, 4, 3, 2, 1]
    assert (await ids(endpoint_id=2))[0] == [7]
    assert (await ids(status="expired"))[0] == [2]
    page, cursor = await ids(limit=4, status="pending")
    assert page == [7, 6, 5, 4]
    assert await ids(limit=4, status="pending", cursor=cursor) == ([3, 1], None)
    status, problem = await api.get("/api/webhook-deliveries", params={"cursor": "x"})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/query/cursor")
