"""The table model_packages: pairs of a forecaster and a policy, and where their warm-ups stand.

What a warm-up writes names the row by id and moment of creation: a package that was deleted and uploaded again under
the same id is another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from shared.contracts.packages import PackageStatus, WarmupStatus
from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)

CHANNEL = "packages_changed"
"""Notified with every change that gives a worker something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One package, without what may be large."""

    id: str
    name: str
    forecast_rel_path: str
    ppo_rel_path: str
    forecast_sha256: str | None
    ppo_sha256: str | None
    forecast_bytes: int | None
    ppo_bytes: int | None
    status: PackageStatus
    warmup_required: bool
    warmup_status: WarmupStatus
    warmup_error: str | None
    """Why it failed, or what it waits for."""
    warmup_completed_at: datetime | None
    warmup_requested_at: datetime
    uploaded_by: str
    """Name of the key; local where no keys are set."""
    is_builtin: bool
    validated_at: datetime | None
    """When its files were found safe and fitting; nothing loads it before."""
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
    market: Mapping[str, Any]
    """The part market of its manifest; empty before the validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package(Listed):
    """One package with everything about it."""

    manifest: Mapping[str, Any]
    """Before the validation what was given with the upload, afterwards complete."""
    warmup_diagnostics: Mapping[str, Any]
    request_id: str | None
    """Of the request that uploaded it, or asked for its latest warm-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPackage:
    """What an upload writes."""

    id: str
    name: str
    forecast_rel_path: str
    ppo_rel_path: str
    forecast_sha256: str
    ppo_sha256: str
    forecast_bytes: int
    ppo_bytes: int
    manifest: Mapping[str, Any]
    uploaded_by: str
    is_builtin: bool = False
    is_validated: bool = False
    """The manifest is complete then."""
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a package waits for."""

    package_id: str
    requested_at: datetime
    """Of its warm-up: whoever asked for another since is not answered with this."""
    reason: str


_LISTED = tuple(field.name for field in fields(Listed))
_PACKAGE = tuple(field.name for field in fields(Package))
_NEW = tuple(field.name for field in fields(NewPackage))


async def lock_registry(connection: Connection) -> None:
    """Let nobody else give ids away before this transaction ends."""
    await _queries.execute(connection, "lock_registry")


async def list_ids(executor: Executor, slug: str | None = None) -> frozenset[str]:
    """Give all ids; or those that are a slug or begin with it and an underscore, also of accounts without a package."""
    rows = await (_queries.fetch(executor, "ids") if slug is None else _queries.fetch(executor, "ids_like", slug=slug))
    return frozenset(row["id"] for row in rows)


async def insert(connection: Connection, new: NewPackage) -> None:
    """Write a package, which waits for its warm-up from then on."""
    await _queries.execute(connection, "insert", **{name: getattr(new, name) for name in _NEW})


async def get(executor: Executor, package_id: str) -> Package | None:
    """Give one package."""
    row = await _queries.fetchrow(executor, "get", id=package_id)
    return None if row is None else _package(row)


async def lock(connection: Connection, package_id: str) -> Package | None:
    """Give one package, which nobody else changes until the end of the transaction."""
    row = await _queries.fetchrow(connection, "lock", id=package_id)
    return None if row is None else _package(row)


async def find(executor: Executor, package_id: str) -> Listed | None:
    """Give one package without what may be large."""
    row = await _queries.fetchrow(executor, "find", id=package_id)
    return None if row is None else _listed(row)


async def hold(connection: Connection, package_id: str) -> Listed | None:
    """Give one package without what may be large; nobody deletes it before the end of the transaction."""
    row = await _queries.fetchrow(connection, "hold", id=package_id)
    return None if row is None else _listed(row)


async def list_page(executor: Executor, *, limit: int, offset: int) -> tuple[list[Listed], int]:
    """Give a page of the packages, newest first, and how many there are."""
    found = [_listed(row) for row in await _queries.fetch(executor, "list_page", limit=limit, offset=offset)]
    return found, await _queries.fetchval(executor, "count")


async def running(executor: Executor) -> list[Listed]:
    """Give the packages whose warm-up runs, or was left so by a crash."""
    return [_listed(row) for row in await _queries.fetch(executor, "running")]


async def archive(connection: Connection, package_id: str) -> bool:
    """Put a package away; False when it is already."""
    return await _changed(connection, "archive", id=package_id)


async def restore(connection: Connection, package_id: str) -> bool:
    """Take a package back, READY when it was validated before; False when it is not archived."""
    return await _changed(connection, "restore", id=package_id)


async def delete(connection: Connection, package_id: str) -> None:
    """Forget a package; accounts stay."""
    await _queries.execute(connection, "delete", id=package_id)


async def request_warmup(connection: Connection, package_id: str, *, request_id: str | None = None) -> None:
    """Let a package wait for a warm-up again, without a trace of earlier ones."""
    await _queries.execute(connection, "request_warmup", id=package_id, request_id=request_id)


async def set_validated(executor: Executor, package: Listed, manifest: Mapping[str, Any]) -> bool:
    """Write that the files are safe and fit this complete manifest; False when the package is gone."""
    return await _changed(
        executor, "set_validated", id=package.id, created_at=package.created_at, manifest=dict(manifest)
    )


async def fail(executor: Executor, package: Listed, reason: str) -> bool:
    """End a validation or warm-up with a sentence; False when the package is gone or DONE."""
    return await _changed(executor, "fail", id=package.id, created_at=package.created_at, reason=reason)


async def wait_with(executor: Executor, package: Listed, reason: str) -> bool:
    """Let a package wait and say for what; False when that changes nothing."""
    return await _changed(executor, "wait_with", id=package.id, created_at=package.created_at, reason=reason)


async def tell_waiting(executor: Executor, told: Sequence[Told]) -> None:
    """Say of many packages at once what they wait for, as far as they still do."""
    await _queries.execute(
        executor, "tell_waiting", ids=[one.package_id for one in told], moments=[one.requested_at for one in told],
        reasons=[one.reason for one in told],
    )  # fmt: skip


async def tell_stuck(executor: Executor, package_ids: Sequence[str], reason: str) -> None:
    """Say of packages that wait why nothing happens to them."""
    await _queries.execute(executor, "tell_stuck", ids=list(package_ids), reason=reason)


async def claim_warmup(executor: Executor, package: Listed) -> Package | None:
    """Start a warm-up and give the package as it is now; None when it is gone, archived or warm.

    Who calls this holds the package (`try_hold`): a RUNNING that is seen then was left by a crash, and is taken over.
    """
    row = await _queries.fetchrow(executor, "claim_warmup", id=package.id, created_at=package.created_at)
    return None if row is None else _package(row)


async def finish_warmup(executor: Executor, package: Listed, diagnostics: Mapping[str, Any]) -> bool:
    """End a warm-up well; False when the package is gone or another warm-up was asked for meanwhile."""
    return await _changed(
        executor, "finish_warmup", id=package.id, created_at=package.created_at, diagnostics=dict(diagnostics)
    )


async def hand_back(executor: Executor, package: Listed) -> bool:
    """Let a package wait again whose warm-up was cut off; False when it is not RUNNING."""
    return await _changed(executor, "hand_back", id=package.id, created_at=package.created_at)


async def cut_off(executor: Executor, package: Listed, *, most: int, reason: str) -> bool:
    """Count a warm-up that a crash cut off, which is FAILED after so many in a row; False when it is not RUNNING."""
    return await _changed(executor, "cut_off", id=package.id, created_at=package.created_at, most=most, reason=reason)


async def try_hold(connection: Connection, package_id: str) -> bool:
    """Hold a package as long as this connection lives, or until `let_go`; False when somebody else holds it.

    Held while its files are validated or warmed up: nobody else does the same, and it is not deleted.
    """
    return bool(await _queries.fetchval(connection, "try_hold", id=package_id))


async def let_go(connection: Connection, package_id: str) -> None:
    """Hold a package no longer."""
    await _queries.execute(connection, "let_go", id=package_id)


async def try_hold_until_commit(connection: Connection, package_id: str) -> bool:
    """Hold a package until the end of the transaction; False when somebody else holds it."""
    return bool(await _queries.fetchval(connection, "try_hold_until_commit", id=package_id))


async def announce(connection: Connection) -> None:
    """Tell the workers, when this transaction commits, that packages have changed."""
    await _queries.execute(connection, "announce")


async def _changed(executor: Executor, name: str, **given: Any) -> bool:
    return not (await _queries.execute(executor, name, **given)).endswith(" 0")


def _listed(row: Record) -> Listed:
    return Listed(**{name: row[name] for name in _LISTED})


def _package(row: Record) -> Package:
    return Package(**{name: row[name] for name in _PACKAGE})
