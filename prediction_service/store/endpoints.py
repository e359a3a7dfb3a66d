"""The table webhook_endpoints: where predictions are sent."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)

UNSET = "N8N_WEBHOOK_URL is not set"
HOPELESS_DAYS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One receiver of messages."""

    id: int
    url: str
    headers: dict[str, str] = field(repr=False)
    secret: str = field(repr=False)
    previous_secret: str | None = field(repr=False)
    """Signs too after a rotation, for as long as `previous_secret_expires_at` says."""
    previous_secret_expires_at: datetime | None
    active_model_ids: frozenset[int] | None
    """None: all models."""
    send_modes: frozenset[str]
    enabled: bool
    is_builtin: bool
    """The one of N8N_WEBHOOK_URL."""
    expires_after_seconds: int | None
    """None: the shortest horizon of a delivery's predictions."""
    max_concurrency: int
    """Requests under way to it at a time, from all senders together."""
    failing_since: datetime | None
    last_success_at: datetime | None
    disabled_reason: str | None
    created_at: datetime
    updated_at: datetime

    def covers(self, active_model_id: int) -> bool:
        """Tell whether predictions of a model go here."""
        return self.active_model_ids is None or active_model_id in self.active_model_ids

    def secrets_at(self, now: datetime) -> tuple[str, ...]:
        """Give the secrets that sign at a time, the newest first."""
        if self.previous_secret is None or self.previous_secret_expires_at is None:
            return (self.secret,)
        return (self.secret, self.previous_secret) if now < self.previous_secret_expires_at else (self.secret,)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint:
    """An endpoint to be."""

    url: str
    headers: dict[str, str] = field(repr=False)
    secret: str = field(repr=False)
    active_model_ids: list[int] | None
    send_modes: list[str]
    enabled: bool
    expires_after_seconds: int | None
    max_concurrency: int


_WRITTEN = tuple(written.name for written in fields(NewEndpoint))


async def insert(connection: Connection, new: NewEndpoint) -> Endpoint:
    """Write an endpoint."""
    row = await _queries.fetchrow(connection, "insert", **{name: getattr(new, name) for name in _WRITTEN})
    assert row is not None
    return _read(row)


async def update(connection: Connection, changed: Endpoint) -> Endpoint:
    """Write what can be set on an endpoint, and whether it works."""
    row = await _queries.fetchrow(
        connection,
        "update",
        id=changed.id,
        url=changed.url,
        headers=changed.headers,
        active_model_ids=None if changed.active_model_ids is None else sorted(changed.active_model_ids),
        send_modes=sorted(changed.send_modes),
        enabled=changed.enabled,
        expires_after_seconds=changed.expires_after_seconds,
        max_concurrency=changed.max_concurrency,
        disabled_reason=changed.disabled_reason,
        failing_since=changed.failing_since,
    )
    assert row is not None
    return _read(row)


async def rotate(connection: Connection, endpoint_id: int, *, new_secret: str, hours: int) -> Endpoint:
    """Let a new secret sign, and the present one beside it for some hours."""
    row = await _queries.fetchrow(connection, "rotate", id=endpoint_id, secret=new_secret, hours=hours)
    assert row is not None
    return _read(row)


async def put_builtin(executor: Executor, *, url: str, new_secret: str) -> None:
    """Let the built-in endpoint have this address; the secret counts only when there is none yet."""
    await _queries.execute(executor, "put_builtin", url=url, secret=new_secret, unset=UNSET)


async def retire_builtin(executor: Executor) -> None:
    """Disable the built-in endpoint, since its setting is gone; its secret stays for the day it comes back."""
    await _queries.execute(executor, "retire_builtin", unset=UNSET)


async def get(executor: Executor, endpoint_id: int) -> Endpoint | None:
    """Give one endpoint."""
    row = await _queries.fetchrow(executor, "get", id=endpoint_id)
    return None if row is None else _read(row)


async def lock(connection: Connection, endpoint_id: int) -> Endpoint | None:
    """Give one endpoint, which nobody else changes until the end of the transaction."""
    row = await _queries.fetchrow(connection, "lock", id=endpoint_id)
    return None if row is None else _read(row)


async def lock_to_send(connection: Connection, endpoint_id: int) -> Endpoint | None:
    """Give one endpoint as it is now, if it is enabled and nobody else holds it at this moment."""
    row = await _queries.fetchrow(connection, "lock_to_send", id=endpoint_id)
    return None if row is None else _read(row)


async def count(executor: Executor) -> int:
    """Count the endpoints."""
    return int(await _queries.fetchval(executor, "count"))


async def list_all(executor: Executor) -> list[Endpoint]:
    """Give all endpoints."""
    return [_read(row) for row in await _queries.fetch(executor, "list_all")]


async def list_enabled(executor: Executor) -> list[Endpoint]:
    """Give the endpoints that messages are written for."""
    return [_read(row) for row in await _queries.fetch(executor, "list_enabled")]


async def list_due(executor: Executor) -> list[Endpoint]:
    """Give the endpoints that have a message to send now."""
    return [_read(row) for row in await _queries.fetch(executor, "list_due")]


async def delete(executor: Executor, endpoint_id: int) -> None:
    """Forget an endpoint and its deliveries."""
    await _queries.execute(executor, "delete", id=endpoint_id)


async def note_success(connection: Connection, endpoint_id: int) -> None:
    """Remember that a receiver took a message."""
    await _queries.execute(connection, "note_success", id=endpoint_id)


async def note_failure(connection: Connection, endpoint_id: int) -> bool:
    """Remember that a receiver did not; True when it is disabled now, after days of nothing else."""
    await _queries.execute(connection, "note_failure", id=endpoint_id)
    reason = f"nothing but failures for {HOPELESS_DAYS} days"
    done = await _queries.execute(connection, "disable_hopeless", id=endpoint_id, reason=reason, days=HOPELESS_DAYS)
    return done.endswith(" 1")


async def disable(connection: Connection, endpoint_id: int, reason: str) -> None:
    """Send nothing more to an endpoint."""
    await _queries.execute(connection, "disable", id=endpoint_id, reason=reason)


def _read(row: Record) -> Endpoint:
    ids: list[int] | None = row["active_model_ids"]
    values: dict[str, Any] = {name: row[name] for name in Endpoint.__dataclass_fields__}
    values["active_model_ids"] = None if ids is None else frozenset(ids)
    values["send_modes"] = frozenset(row["send_modes"])
    return Endpoint(**values)


async def count_states(executor: Executor) -> dict[str, int]:
    """Count endpoints by state: ok, failing, disabled."""
    return dict(await _queries.fetchrow(executor, "count_states") or {})
