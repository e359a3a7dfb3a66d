"""The table webhook_deliveries: messages to send, and how far they are."""

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
    """The same whenever the same message is made again."""
    event_type: str
    coin_id: str | None
    data_timestamp: datetime | None
    active_model_ids: tuple[int, ...] | None
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
    tries: int
    """The same, counted from when it was last sent again by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message and how far it is."""

    id: int
    endpoint_id: int
    webhook_id: str
    event_type: str
    coin_id: str | None
    data_timestamp: datetime | None
    active_model_ids: list[int] | None
    status: str
    attempts: int
    next_attempt_at: datetime
    expires_at: datetime
    last_status_code: int | None
    last_error: str | None
    delivered_at: datetime | None
    resent_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Messages to one endpoint."""

    pending: int
    delivered: int
    """This and the following: of those written within the last 24 hours."""
    failed: int
    expired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which messages to list; None asks for nothing."""

    endpoint_id: int | None = None
    status: str | None = None
    event_type: str | None = None
    coin_id: str | None = None
    active_model_id: int | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None
    before_id: int | None = None


_READ = tuple(field.name for field in fields(Delivery))
_CONDITIONS = {
    "endpoint_id": "endpoint_id = {}",
    "status": "status = {}",
    "event_type": "event_type = {}",
    "coin_id": "coin_id = {}",
    "active_model_id": "active_model_ids @> ARRAY[{}::bigint]",
    "date_from": "created_at >= {}",
    "date_to": "created_at <= {}",
    "before_id": "id < {}",
}


async def insert_many(connection: Connection, deliveries: Sequence[NewDelivery]) -> list[int]:
    """Write messages in one statement; give the ids of those that were not there yet."""
    rows = await _queries.fetch(
        connection,
        "insert",
        endpoint_ids=[delivery.endpoint_id for delivery in deliveries],
        webhook_ids=[delivery.webhook_id for delivery in deliveries],
        event_types=[delivery.event_type for delivery in deliveries],
        coin_ids=[delivery.coin_id for delivery in deliveries],
        data_timestamps=[delivery.data_timestamp for delivery in deliveries],
        active_model_ids=[_array(delivery.active_model_ids) for delivery in deliveries],
        bodies=[delivery.body for delivery in deliveries],
        expires_after=[delivery.expires_after_seconds for delivery in deliveries],
    )
    return [row["id"] for row in rows]


def _array(ids: tuple[int, ...] | None) -> str | None:
    # unnest would flatten an array of arrays.
    return None if ids is None else f"{{{','.join(map(str, ids))}}}"


async def claim(connection: Connection, endpoint_id: int, *, at_once: int, lease_seconds: float) -> list[Claimed]:
    """Take messages of an endpoint that are due, as many as may be under way to it at once, oldest first.

    Nobody else gets them until the lease is over. The caller's transaction holds the endpoint's row.
    """
    rows = await _queries.fetch(
        connection, "claim", endpoint_id=endpoint_id, at_once=at_once, lease_seconds=lease_seconds
    )
    claimed = [
        Claimed(
            id=row["id"],
            endpoint_id=row["endpoint_id"],
            webhook_id=row["webhook_id"],
            body=row["body"],
            attempt=row["attempts"],
            tries=row["tries"],
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


async def expire(executor: Executor) -> int:
    """End messages that came too late; give how many."""
    return int((await _queries.execute(executor, "expire")).split()[-1])


async def list_page(executor: Executor, wanted: Filter, *, most: int) -> list[Delivery]:
    """Give the newest messages that fit, highest ids first."""
    text, arguments = compose_page(wanted, most=most)
    rows = await executor.fetch(text, *arguments)
    return [Delivery(**{name: row[name] for name in _READ}) for row in rows]


def compose_page(wanted: Filter, *, most: int) -> tuple[str, list[Any]]:
    """Give the statement of a page, with the conditions that are asked for and no others."""
    query = _queries["page"]
    arguments = query.arguments({"most": most})
    where = ""
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            arguments.append(value)
            where += " AND " + condition.format(f"${len(arguments)}")
    if wanted.event_type == "webhook.test":
        # They are about no coin, which is what an index knows.
        where += " AND coin_id IS NULL"
    return _filled(query.text).replace("/*where*/", where), arguments


async def get(executor: Executor, delivery_id: int) -> tuple[Delivery, bytes] | None:
    """Give one message and its body."""
    query = _queries["get"]
    row = await executor.fetchrow(_filled(query.text), *query.arguments({"id": delivery_id}))
    return None if row is None else (Delivery(**{name: row[name] for name in _READ}), row["body"])


async def lock(connection: Connection, delivery_id: int) -> str | None:
    """Give the status of a message, which nobody else changes until the end of the transaction."""
    status: str | None = await _queries.fetchval(connection, "lock", id=delivery_id)
    return status


async def resend(connection: Connection, delivery_id: int) -> None:
    """Let a message go out again, with a new time to live."""
    await _queries.execute(connection, "resend", id=delivery_id)


async def recover(
    connection: Connection, endpoint_id: int, *, since: datetime, most: int, per_second: float
) -> tuple[int, bool]:
    """Let failed and expired messages of an endpoint go out again, oldest first; give how many, and if any are left."""
    done = await _queries.execute(
        connection, "recover", endpoint_id=endpoint_id, since=since, most=most, per_second=per_second
    )
    left = await _queries.fetchval(connection, "any_lost", endpoint_id=endpoint_id, since=since)
    return int(done.split()[-1]), left


async def count_of(executor: Executor, endpoint_id: int) -> Counts:
    """Count the messages to one endpoint."""
    row = await _queries.fetchrow(executor, "counts", endpoint_id=endpoint_id)
    assert row is not None
    return Counts(**dict(row))


async def count_pending(executor: Executor) -> int:
    """Count the messages that wait."""
    return int(await _queries.fetchval(executor, "count_pending"))


async def totals(executor: Executor) -> dict[str, int]:
    """Count the messages by status."""
    return {row["status"]: row["total"] for row in await _queries.fetch(executor, "totals")}


def _filled(text: str) -> str:
    return text.replace("/*columns*/", ", ".join(_READ))
