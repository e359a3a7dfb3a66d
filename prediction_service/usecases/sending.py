"""Send the messages that wait: each endpoint in a lane of its own, again and again until it is taken or too late."""

import asyncio
import random
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog

from prediction_service.clients.addresses import trusts
from prediction_service.clients.webhook import Attempt, Message, WebhookSender
from prediction_service.runtime import metrics
from prediction_service.settings import PredictionSettings
from prediction_service.store import attempts, deliveries, endpoints
from prediction_service.store.deliveries import Claimed
from prediction_service.store.endpoints import Endpoint
from shared.contracts.webhook import MASK
from shared.db import ConnectionLost, Pool, PostgresError, transaction
from shared.request_ids import following
from shared.tracing import WEBHOOK_ATTEMPT, span

log = structlog.get_logger(__name__)

CONNECTIONS = 3
"""So many of the pool's: however many receivers answer at once, the predictions find one free."""
LEASE_SECONDS = 15.0
LOOK_SECONDS = 1.0
RETRY_SECONDS = (1, 5, 30, 120, 600)
GONE = 410
_SHORTEST_SECRET = 6


def retry_after(attempt: int) -> float:
    """Give the seconds to wait after an attempt that failed, counted from 1; the last delay repeats."""
    delay = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS)) - 1]
    # Receivers that come back would otherwise meet all that waited at once.
    return delay * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


async def send_forever(pool: Pool, settings: PredictionSettings, stop: asyncio.Event, poke: asyncio.Event) -> None:
    """Send what is due until `stop`; `poke` says that something new may be."""
    async with WebhookSender() as sender, asyncio.TaskGroup() as group:
        office = _Office(pool, settings, sender, group, poke)
        while not stop.is_set():
            try:
                await office.look()
            except (*ConnectionLost, PostgresError) as error:
                log.warning("deliveries cannot be read", error=type(error).__name__)
            await _wait(stop, poke)
            poke.clear()


async def _wait(stop: asyncio.Event, poke: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in (stop, poke)]
    try:
        await asyncio.wait(waiting, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


class _Office:
    """Hands messages out and counts what is under way to each endpoint."""

    def __init__(
        self,
        pool: Pool,
        settings: PredictionSettings,
        sender: WebhookSender,
        group: asyncio.TaskGroup,
        poke: asyncio.Event,
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._sender = sender
        self._group = group
        self._poke = poke
        self._under_way: dict[int, int] = {}
        self._turns = asyncio.Semaphore(CONNECTIONS)

    async def look(self) -> None:
        """Start whatever is due and has room in its lane."""
        if expired := await deliveries.expire(self._pool):
            log.info("deliveries expired", count=expired)
        for endpoint in await endpoints.list_due(self._pool):
            if self._under_way.get(endpoint.id, 0) < endpoint.max_concurrency:
                await self._hand_out(endpoint.id)

    async def _hand_out(self, endpoint_id: int) -> None:
        async with self._turns, transaction(self._pool) as connection:
            # As it is now, and held: what all senders have under way to it together is counted.
            endpoint = await endpoints.lock_to_send(connection, endpoint_id)
            if endpoint is None:
                return
            claimed = await deliveries.claim(
                connection, endpoint_id, at_once=endpoint.max_concurrency, lease_seconds=LEASE_SECONDS
            )
        for message in claimed:
            self._under_way[endpoint_id] = self._under_way.get(endpoint_id, 0) + 1
            self._group.create_task(self._send(endpoint, message))

    async def _send(self, endpoint: Endpoint, claimed: Claimed) -> None:
        try:
            with (
                following(claimed.request_id, delivery_id=claimed.id, endpoint_id=endpoint.id),
                span(
                    WEBHOOK_ATTEMPT, kind="producer", parent=claimed.traceparent, delivery_id=claimed.id,
                    endpoint_id=endpoint.id, event_type=claimed.event_type, attempt=claimed.attempt,
                ),
            ):  # fmt: skip
                attempt = await self._sender.post(self._message(endpoint, claimed))
                metrics.WEBHOOK_SECONDS.observe(attempt.duration_ms / 1000)
                async with self._turns:
                    await _record(self._pool, endpoint, claimed, attempt)
        except Exception as error:
            # One message must not end the sending of all others; its lease ends by itself, and it is sent again.
            log.warning("attempt not recorded", delivery_id=claimed.id, exc_info=error)
        finally:
            self._under_way[endpoint.id] -= 1
            self._poke.set()

    def _message(self, endpoint: Endpoint, claimed: Claimed) -> Message:
        settings = self._settings
        trusted = endpoint.is_builtin or trusts(
            endpoint.url, allow_private=settings.webhook_allow_private, allowed_hosts=settings.webhook_allowed_hosts
        )
        return Message(
            url=endpoint.url,
            headers=endpoint.headers,
            secrets=endpoint.secrets_at(datetime.now(UTC)),
            webhook_id=claimed.webhook_id,
            body=claimed.body,
            trusted=trusted,
            request_id=claimed.request_id,
        )


def _redacted(response: str | None, values: Iterable[str]) -> str | None:
    """Blot out what a receiver repeats of its headers: attempts are shown to whoever may read."""
    for value in values:
        for secret in (value, *value.split()):
            if response and len(secret) >= _SHORTEST_SECRET:
                response = response.replace(secret, MASK)
    return response


async def _record(pool: Pool, endpoint: Endpoint, claimed: Claimed, attempt: Attempt) -> None:
    """Write the attempt and what follows from it in one transaction."""
    status = "delivered" if attempt.succeeded else "failed" if attempt.status_code == GONE else "pending"
    disabled = False
    async with transaction(pool) as connection:
        # The endpoint before its messages, as all who lock both do.
        if attempt.succeeded:
            await endpoints.note_success(connection, endpoint.id)
        else:
            disabled = await endpoints.note_failure(connection, endpoint.id)
        if attempt.status_code == GONE:
            disabled = True
            await endpoints.disable(connection, endpoint.id, "the receiver answered 410 Gone")
        await attempts.insert(
            connection,
            claimed,
            url=endpoint.url,
            status_code=attempt.status_code,
            duration_ms=attempt.duration_ms,
            response=_redacted(attempt.response, endpoint.headers.values()),
            error=attempt.error,
        )
        await deliveries.finish(
            connection,
            claimed,
            status=status,
            status_code=attempt.status_code,
            error=attempt.error,
            retry_seconds=retry_after(claimed.tries),
        )
    _tell(claimed, attempt, disabled=disabled)


def _tell(claimed: Claimed, attempt: Attempt, *, disabled: bool) -> None:
    told = log.bind(
        event_type=claimed.event_type,
        active_model_ids=claimed.active_model_ids,
        attempt=claimed.attempt,
        status_code=attempt.status_code,
        duration_ms=attempt.duration_ms,
    )
    if attempt.succeeded:
        told.info("webhook taken")
    else:
        told.info("webhook not taken", error=attempt.error, disabled=disabled)
