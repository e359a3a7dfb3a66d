"""Routes of webhook endpoints and their deliveries."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, status

from prediction_service.deps import PoolDep, SettingsDep
from prediction_service.store import attempts, deliveries, endpoints
from prediction_service.store.deliveries import Filter
from prediction_service.store.endpoints import Endpoint
from prediction_service.usecases import resending, webhooks
from shared.coin_metrics.read import microseconds, moment
from shared.contracts.deliveries import Deliveries, Delivery, DeliveryAttempt, DeliveryDetails, DeliveryFilter
from shared.contracts.fields import PathId
from shared.contracts.webhook import (
    MASK,
    ChangeWebhook,
    CreatedWebhook,
    LastDay,
    LastError,
    NewWebhook,
    Recover,
    Recovered,
    RotatedSecret,
    Webhook,
    WebhookDetails,
    Webhooks,
)
from shared.errors import NotFound
from shared.web.cursor import read_place, write_cursor

router = APIRouter(tags=["webhooks"])

KIND = "deliveries"


@router.post(
    "/webhooks",
    summary="Set up an endpoint; the answer shows its secret, nothing else ever does",
    status_code=status.HTTP_201_CREATED,
)
async def create_webhook(pool: PoolDep, settings: SettingsDep, body: NewWebhook) -> CreatedWebhook:
    endpoint = await webhooks.create_endpoint(pool, settings, body)
    return CreatedWebhook(**_masked(endpoint) | {"secret": endpoint.secret})


@router.get("/webhooks", summary="All endpoints; secrets and header values are masked")
async def list_webhooks(pool: PoolDep) -> Webhooks:
    found = await endpoints.list_all(pool)
    return Webhooks(webhooks=[Webhook(**_masked(endpoint)) for endpoint in found], total=len(found))


@router.get(
    "/webhooks/{endpoint_id:int}", summary="An endpoint: what waits for it, what came of the last day, its last error"
)
async def get_webhook(pool: PoolDep, endpoint_id: PathId) -> WebhookDetails:
    endpoint = await endpoints.get(pool, endpoint_id)
    if endpoint is None:
        raise NotFound(f"There is no webhook {endpoint_id}")
    counts = await deliveries.count_of(pool, endpoint_id)
    failure = await attempts.get_last_failure(pool, endpoint_id)
    return WebhookDetails(
        **_masked(endpoint),
        pending=counts.pending,
        last_24_hours=LastDay(delivered=counts.delivered, failed=counts.failed, expired=counts.expired),
        last_error=None if failure is None else LastError.model_validate(failure),
    )


@router.patch("/webhooks/{endpoint_id:int}", summary="Change an endpoint; the next message is sent as it says then")
async def change_webhook(pool: PoolDep, settings: SettingsDep, endpoint_id: PathId, body: ChangeWebhook) -> Webhook:
    return Webhook(**_masked(await webhooks.change_endpoint(pool, settings, endpoint_id, body)))


@router.delete(
    "/webhooks/{endpoint_id:int}",
    summary="Remove an endpoint; what waits for it is dropped",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def delete_webhook(pool: PoolDep, endpoint_id: PathId) -> None:
    await webhooks.delete_endpoint(pool, endpoint_id)


@router.post(
    "/webhooks/{endpoint_id:int}/rotate",
    summary="Give an endpoint a new secret, shown here only; for a day the one before signs as well",
)
async def rotate_webhook(pool: PoolDep, endpoint_id: PathId) -> RotatedSecret:
    endpoint, message = await webhooks.rotate_secret(pool, endpoint_id)
    expires = endpoint.previous_secret_expires_at
    assert expires is not None
    return RotatedSecret(id=endpoint.id, secret=endpoint.secret, previous_secret_expires_at=expires, message=message)


@router.post(
    "/webhooks/{endpoint_id:int}/test",
    summary="Send a test event, as any message is sent; its delivery shows what came of it",
    status_code=status.HTTP_202_ACCEPTED,
)
async def test_webhook(pool: PoolDep, endpoint_id: PathId) -> Delivery:
    return Delivery.model_validate(await resending.send_trial(pool, endpoint_id))


@router.post(
    "/webhooks/{endpoint_id:int}/recover",
    summary="Send again what failed or expired since a time, oldest first, at most 10,000 messages a call",
    status_code=status.HTTP_202_ACCEPTED,
)
async def recover_webhook(pool: PoolDep, endpoint_id: PathId, body: Recover) -> Recovered:
    recovered, more = await resending.recover(pool, endpoint_id, since=body.since)
    return Recovered(endpoint_id=endpoint_id, recovered=recovered, more=more)


@router.get("/webhook-deliveries", summary="Messages to endpoints, newest first")
async def list_deliveries(pool: PoolDep, wanted: Annotated[DeliveryFilter, Query()]) -> Deliveries:
    before = None
    if wanted.cursor is not None:
        created_at, last_id = read_place(KIND, wanted.cursor, numbers=2)
        before = moment(created_at), last_id
    chosen = Filter(**wanted.model_dump(exclude={"cursor", "limit"}), before=before)
    found = await deliveries.list_page(pool, chosen, most=wanted.limit + 1)
    page = found[: wanted.limit]
    cursor = write_cursor(KIND, microseconds(page[-1].created_at), page[-1].id) if len(found) > len(page) else None
    return Deliveries(deliveries=[Delivery.model_validate(one) for one in page], next_cursor=cursor)


@router.get("/webhook-deliveries/{delivery_id:int}", summary="A message: its body and every attempt at it")
async def get_delivery(pool: PoolDep, delivery_id: PathId) -> DeliveryDetails:
    found = await deliveries.get(pool, delivery_id)
    if found is None:
        raise NotFound(f"There is no delivery {delivery_id}")
    delivery, body = found
    tried = await attempts.list_of(pool, delivery_id)
    return DeliveryDetails(
        **asdict(delivery),
        body=orjson.loads(body),
        attempt_log=[DeliveryAttempt.model_validate(one) for one in tried],
    )


@router.post(
    "/webhook-deliveries/{delivery_id:int}/resend",
    summary="Send a message again, with its webhook-id and a new time to live",
    status_code=status.HTTP_202_ACCEPTED,
)
async def resend_delivery(pool: PoolDep, delivery_id: PathId) -> Delivery:
    return Delivery.model_validate(await resending.resend(pool, delivery_id))


def _masked(endpoint: Endpoint) -> dict[str, Any]:
    two_sign = len(endpoint.secrets_at(datetime.now(UTC))) > 1
    return {
        "id": endpoint.id,
        "name": "n8n" if endpoint.is_builtin else None,
        "url": endpoint.url,
        "headers": dict.fromkeys(endpoint.headers, MASK),
        "secret": MASK,
        "previous_secret_expires_at": endpoint.previous_secret_expires_at if two_sign else None,
        "active_model_ids": None if endpoint.active_model_ids is None else sorted(endpoint.active_model_ids),
        "send_modes": sorted(endpoint.send_modes),
        "enabled": endpoint.enabled,
        "is_builtin": endpoint.is_builtin,
        "expires_after_seconds": endpoint.expires_after_seconds,
        "max_concurrency": endpoint.max_concurrency,
        "failing_since": endpoint.failing_since,
        "last_success_at": endpoint.last_success_at,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }
