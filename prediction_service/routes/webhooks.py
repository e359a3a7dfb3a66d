"""Routes of webhook endpoints and their deliveries."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, status

from prediction_service.deps import PoolDep, SettingsDep
from prediction_service.store import deliveries, endpoints
from prediction_service.store.endpoints import Endpoint
from prediction_service.usecases import webhooks
from shared.contracts.fields import PathId
from shared.contracts.webhook import (
    CreatedWebhook,
    Deliveries,
    Delivery,
    DeliveryFilter,
    NewWebhook,
    Webhook,
    Webhooks,
)
from shared.web.cursor import read_cursor, write_cursor

router = APIRouter(tags=["webhooks"])

KIND = "deliveries"
MASK = "***"


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


@router.delete(
    "/webhooks/{endpoint_id:int}",
    summary="Remove an endpoint; what waits for it is dropped",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def delete_webhook(pool: PoolDep, endpoint_id: PathId) -> None:
    await webhooks.delete_endpoint(pool, endpoint_id)


@router.get("/webhook-deliveries", summary="Messages to endpoints, newest first")
async def list_deliveries(pool: PoolDep, wanted: Annotated[DeliveryFilter, Query()]) -> Deliveries:
    before = None if wanted.cursor is None else read_cursor(KIND, wanted.cursor)
    found = await deliveries.list_page(
        pool, endpoint_id=wanted.endpoint_id, status=wanted.status, before_id=before, most=wanted.limit + 1
    )
    page = found[: wanted.limit]
    cursor = write_cursor(KIND, page[-1].id) if len(found) > len(page) else None
    return Deliveries(deliveries=[Delivery.model_validate(one) for one in page], next_cursor=cursor)


def _masked(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "name": "n8n" if endpoint.is_builtin else None,
        "url": endpoint.url,
        "headers": dict.fromkeys(endpoint.headers, MASK),
        "secret": MASK,
        "active_model_ids": None if endpoint.active_model_ids is None else sorted(endpoint.active_model_ids),
        "send_modes": sorted(endpoint.send_modes),
        "enabled": endpoint.enabled,
        "is_builtin": endpoint.is_builtin,
        "expires_after_seconds": endpoint.expires_after_seconds,
        "failing_since": endpoint.failing_since,
        "last_success_at": endpoint.last_success_at,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }
