"""The tables webhook_deliveries and prediction_webhook_log: messages to send, and every attempt at it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from shared.db import Connection, Executor, Queries

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A message for one endpoint."""

    endpoint_id: int
    webhook_id: str
    event_type: str
    coin_id: str
    data_timestamp: datetime
    body: bytes
    """What every attempt sends and signs."""
    expires_after_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that this process is to send now."""

    id: int
    endpoint_id: int
    webhook_id: str
    body: bytes
    attempt: int
    """1 at the first; also the token without which nothing is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message and how far it is."""

    id: int
    endpoint_id: int
    webhook_id: str
    event_type: str
    coin_id: str | None
    data_timestamp: datetime | None
    status: str
    attempts: int
    next_attempt_at: datetime
    expires_at: datetime
    last_status_code: int | None
    last_error: str | None
    delivered_at: datetime | None
    created_at: datetime


_READ = tuple(field.name for field in fields(Delivery))


async def insert_many(connection: Connection, deliveries: Sequence[NewDelivery]) -> None:
    """Write messages in one statement."""
    await _queries.execute(
        connection,
        "insert",
        endpoint_ids=[delivery.endpoint_id for delivery in deliveries],
        webhook_ids=[delivery.webhook_id for delivery in deliveries],
        event_types=[delivery.event_type for delivery in deliveries],
        coin_ids=[delivery.coin_id for delivery in deliveries],
        data_timestamps=[delivery.data_timestamp for delivery in deliveries],
        bodies=[delivery.body for delivery in deliveries],
        expires_after=[delivery.expires_after_seconds for delivery in deliveries],
    )


async def claim(executor: Executor, endpoint_id: int, *, most: int, lease_seconds: float) -> list[Claimed]:
    """Take messages of an endpoint that are due; nobody else gets them until the lease is over."""
    rows = await _queries.fetch(executor, "claim", endpoint_id=endpoint_id, most=most, lease_seconds=lease_seconds)
    claimed = [
        Claimed(
            id=row["id"],
            endpoint_id=row["endpoint_id"],
            webhook_id=row["webhook_id"],
            body=row["body"],
            attempt=row["attempts"],
        )
        for row in rows
    ]
    return sorted(claimed, key=lambda message: message.id)


async def finish(
    connection: Connection,
    claimed: Claimed,
    *,
    status: str,
    status_code: int | None,
    error: str | None,
    retry_seconds: float = 0,
) -> bool:
    """Write what came of an attempt; False when the claim is no longer ours."""
    done = await _queries.execute(
        connection,
        "finish",
        id=claimed.id,
        attempt=claimed.attempt,
        status=status,
        status_code=status_code,
        error=error,
        retry_seconds=retry_seconds,
    )
    return done.endswith(" 1")


async def log_attempt(
    connection: Connection,
    claimed: Claimed,
    *,
    url: str,
    status_code: int | None,
    duration_ms: float,
    response: str | None,
    error: str | None,
) -> None:
    """Keep an attempt."""
    await _queries.execute(
        connection,
        "log",
        delivery_id=claimed.id,
        endpoint_id=claimed.endpoint_id,
        attempt=claimed.attempt,
        url=url,
        status_code=status_code,
        duration_ms=duration_ms,
        response=response,
        error=error,
    )


async def expire(executor: Executor) -> int:
    """End messages that came too late; give how many."""
    return int((await _queries.execute(executor, "expire")).split()[-1])


async def list_page(
    executor: Executor, *, endpoint_id: int | None, status: str | None, before_id: int | None, most: int
) -> list[Delivery]:
    """Give the newest messages that fit, highest ids first."""
    text, arguments = compose_page(endpoint_id=endpoint_id, status=status, before_id=before_id, most=most)
    rows = await executor.fetch(text, *arguments)
    return [Delivery(**{name: row[name] for name in _READ}) for row in rows]


def compose_page(
    *, endpoint_id: int | None, status: str | None, before_id: int | None, most: int
) -> tuple[str, list[Any]]:
    """Give the statement of a page, with the conditions that are asked for and no others."""
    query = _queries["page"]
    arguments = query.arguments({"most": most})
    where = ""
    for condition, value in (("endpoint_id = ", endpoint_id), ("status = ", status), ("id < ", before_id)):
        if value is not None:
            arguments.append(value)
            where += f" AND {condition}${len(arguments)}"
    return query.text.replace("/*columns*/", ", ".join(_READ)).replace("/*where*/", where), arguments


async def count_pending(executor: Executor) -> int:
    """Count the messages that wait."""
    return int(await _queries.fetchval(executor, "count_pending"))


async def totals(executor: Executor) -> dict[str, int]:
    """Count the messages by status."""
    return {row["status"]: row["total"] for row in await _queries.fetch(executor, "totals")}
