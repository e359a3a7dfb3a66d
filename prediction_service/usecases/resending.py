"""Send by hand: an event that tries an endpoint, one message again, or all that were lost since a time."""

from datetime import UTC, datetime

import structlog

from prediction_service.store import deliveries
from prediction_service.store.deliveries import Cause, Delivery
from prediction_service.store.endpoints import Endpoint
from prediction_service.usecases.deliveries import trial_for
from prediction_service.usecases.webhooks import lock_endpoint
from shared.db import Connection, Pool, transaction
from shared.errors import Conflict, NotFound
from shared.request_ids import current_request_id
from shared.tracing import traceparent

log = structlog.get_logger(__name__)

MOST_RECOVERED = 10_000
RECOVERED_PER_SECOND = 100.0


async def send_trial(pool: Pool, endpoint_id: int) -> Delivery:
    """Write a test event for an endpoint; the sender takes it as any other message."""
    async with transaction(pool) as connection:
        endpoint = await _sendable(connection, endpoint_id)
        (delivery_id,) = await deliveries.insert_many(
            connection, [trial_for(endpoint, now=datetime.now(UTC), cause=_cause())]
        )
        return await _get(connection, delivery_id)


async def resend(pool: Pool, delivery_id: int) -> Delivery:
    """Let a message go out again, whatever came of it, with its own id and a new time to live."""
    async with transaction(pool) as connection:
        found = await deliveries.get(connection, delivery_id)
        if found is None:
            raise NotFound(f"There is no delivery {delivery_id}")
        # The endpoint before its messages, as all who lock both do.
        await _sendable(connection, found[0].endpoint_id)
        if await deliveries.lock(connection, delivery_id) == "pending":
            raise Conflict(f"Delivery {delivery_id} is pending: it is sent until it is taken or expires")
        await deliveries.resend(connection, delivery_id, cause=_cause())
        return await _get(connection, delivery_id)


async def recover(pool: Pool, endpoint_id: int, *, since: datetime) -> tuple[int, bool]:
    """Let all failed and expired messages of an endpoint go out again; give how many, and if there are more."""
    async with transaction(pool) as connection:
        await _sendable(connection, endpoint_id)
        recovered, more = await deliveries.recover(
            connection, endpoint_id, since=since, most=MOST_RECOVERED, per_second=RECOVERED_PER_SECOND, cause=_cause()
        )
    log.info("deliveries recovered", endpoint_id=endpoint_id, count=recovered)
    return recovered, more


def _cause() -> Cause:
    return Cause(request_id=current_request_id(), traceparent=traceparent())


async def _sendable(connection: Connection, endpoint_id: int) -> Endpoint:
    endpoint = await lock_endpoint(connection, endpoint_id)
    if not endpoint.enabled:
        why = f" ({endpoint.disabled_reason})" if endpoint.disabled_reason else ""
        raise Conflict(f"Webhook {endpoint_id} is disabled{why}: enable it first, nothing is sent to it until then")
    return endpoint


async def _get(connection: Connection, delivery_id: int) -> Delivery:
    found = await deliveries.get(connection, delivery_id)
    assert found is not None
    return found[0]
