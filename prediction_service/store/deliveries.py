"""The table webhook_deliveries: messages to send, and how far they are."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, get_args

from shared.contracts.deliveries import EventType
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
    request_id: str | None = None
    """Of the request that had it sent; None where a prediction did."""
    traceparent: str | None = None
    """The span that did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What has a message sent by hand."""

    request_id: str | None
    traceparent: str | None
    """The span of the request."""


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
    event_type: str
    active_model_ids: list[int] | None
    request_id: str | None
    traceparent: str | None


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
    request_id: str | None
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
    before: tuple[datetime, int] | None = None
    """Time and id of the last one of the page before."""


EVENT_TYPES = get_args(EventType)
_READ = tuple(field.name for field in fields(Delivery))
_CONDITIONS = {
    "endpoint_id": "endpoint_id = {}",
    "status": "status = {}",
    "event_type": "event_type = {}",
    "coin_id": "coin_id = {}",
    "active_model_id": "{} = ANY(active_model_ids)",
    "date_from": "created_at >= {}",
    "date_to": "created_at <= {}",
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
        request_ids=[delivery.request_id for delivery in deliveries],
        traceparents=[delivery.traceparent for delivery in deliveries],
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
            event_type=row["event_type"],
            active_model_ids=row["active_model_ids"],
            request_id=row["request_id"],
            traceparent=row["traceparent"],
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
    """Give the newest messages that fit, newest first."""
    text, arguments = compose_page(wanted, most=most)
    rows = await executor.fetch(text, *arguments)
    return [Delivery(**{name: row[name] for name in _READ}) for row in rows]


def compose_page(wanted: Filter, *, most: int) -> tuple[str, list[Any]]:
    """Give the statement of a page, with the conditions that are asked for and no others."""
    name, first = "page", dict[str, Any](most=most)
    given = {name: getattr(wanted, name) for name in _CONDITIONS if getattr(wanted, name) is not None}
    if wanted.coin_id is None and wanted.active_model_id is not None:
        name, first = "page_of_model", first | {"active_model_id": given.pop("active_model_id")}
    elif given.keys() <= {"event_type", "date_from", "date_to"}:
        kind = given.pop("event_type", None)
        name, first = "page_of_types", first | {"types": list(EVENT_TYPES) if kind is None else [kind]}
    query = _queries[name]
    arguments = query.arguments(first)
    where = ""
    for condition, value in given.items():
        arguments.append(value)
        where += " AND " + _CONDITIONS[condition].format(f"${len(arguments)}")
    if wanted.before is not None:
        arguments += wanted.before
        where += f" AND (created_at, id) < (${len(arguments) - 1}, ${len(arguments)})"
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


async def resend(connection: Connection, delivery_id: int, *, cause: Cause) -> None:
    """Let a message go out again, with a new time to live."""
    await _queries.execute(
        connection, "resend", id=delivery_id, request_id=cause.request_id, traceparent=cause.traceparent
    )


async def recover(
    connection: Connection, endpoint_id: int, *, since: datetime, most: int, per_second: float, cause: Cause
) -> tuple[int, bool]:
    """Let failed and expired messages of an endpoint go out again, oldest first; give how many, and if any are left."""
    done = await _queries.execute(
        connection, "recover", endpoint_id=endpoint_id, since=since, most=most, per_second=per_second,
        request_id=cause.request_id, traceparent=cause.traceparent,
    )  # fmt: skip
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


async def oldest_pending(executor: Executor) -> datetime | None:
    """Give since when the oldest message waits that is not sent again."""
    oldest: datetime | None = await _queries.fetchval(executor, "oldest_pending")
    return oldest


async def totals(executor: Executor) -> dict[str, int]:
    """Give how many messages there were by status, also those that are deleted by now, unless they waited then."""
    found = {row["status"]: row["final"] for row in await _queries.fetch(executor, "endings")}
    return {status: total for status, total in {**found, "pending": await count_pending(executor)}.items() if total}


async def endings(executor: Executor) -> dict[str, int]:
    """Give how often a message ended, by status; one that was sent again may end several times."""
    return {row["status"]: row["ended"] for row in await _queries.fetch(executor, "endings")}


def _filled(text: str) -> str:
    return text.replace("/*columns*/", ", ".join(_READ))
