"""The table prediction_webhook_log: every attempt to send a message."""

from dataclasses import dataclass
from datetime import datetime

from prediction_service.store.deliveries import Claimed
from shared.db import Connection, Executor, Queries

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedAttempt:
    """One request and what came of it."""

    attempt: int
    url: str
    status_code: int | None
    """None without an answer."""
    duration_ms: float
    response: str | None
    error: str | None
    request_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The latest request of an endpoint that was not taken."""

    delivery_id: int
    attempt: int
    status_code: int | None
    error: str | None
    created_at: datetime


async def insert(
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
        "insert",
        delivery_id=claimed.id,
        endpoint_id=claimed.endpoint_id,
        attempt=claimed.attempt,
        url=url,
        status_code=status_code,
        duration_ms=duration_ms,
        response=response,
        error=error,
        request_id=claimed.request_id,
    )


async def list_of(executor: Executor, delivery_id: int) -> list[LoggedAttempt]:
    """Give all attempts at a message, oldest first."""
    return [LoggedAttempt(**dict(row)) for row in await _queries.fetch(executor, "list_of", delivery_id=delivery_id)]


async def get_last_failure(executor: Executor, endpoint_id: int) -> Failure | None:
    """Give the latest attempt that an endpoint did not take."""
    row = await _queries.fetchrow(executor, "last_failure", endpoint_id=endpoint_id)
    return None if row is None else Failure(**dict(row))
