"""Whether there is work on packages, on which markets, and who does it; read only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.candles import interval_text
from shared.contracts.packages import PackageStatus, WarmupStatus
from shared.db import Connection, Executor, Queries

_queries = Queries.beside(__file__)

_LOCK = 0x70756D_7061636B
"""Held by the one process that works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An account that trades by itself."""

    account_id: str
    package_id: str
    symbol: str
    """Market it trades."""
    traded_until: datetime | None
    """Close of the newest candle it acted on."""
    trouble: str | None
    """Why it does not trade at present, as far as that was told."""
    market: Mapping[str, Any]
    """That of the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment in a market."""

    symbol: str
    interval_seconds: int
    after: datetime | None
    """None is the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A package that waits for something, or is being warmed up."""

    id: str
    status: PackageStatus
    """UPLOADED waits for its validation."""
    warmup_status: WarmupStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanting:
    """A package that waits for candles."""

    package_id: str
    market: Mapping[str, Any]
    """That of the manifest."""
    requested_at: datetime
    """When its warm-up was asked for."""
    told: str | None
    """What it says it waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Candles of a market that are to be counted."""

    symbol: str
    interval_seconds: int
    most: int
    """So many are enough."""


async def may_wait(executor: Executor) -> bool:
    """Say whether any package or account may need something: cheap, and never False when one does."""
    return bool(await _queries.fetchval(executor, "may_wait"))


async def waiting(executor: Executor) -> list[Waiting]:
    """Give the packages that wait for a validation or a warm-up: those never cut off first, then the oldest."""
    return [Waiting(**row) for row in await _queries.fetch(executor, "waiting")]


async def wanting(executor: Executor) -> list[Wanting]:
    """Give the packages that wait for a warm-up and are validated."""
    return [Wanting(**row) for row in await _queries.fetch(executor, "wanting")]


async def runs(executor: Executor, wanted: Sequence[Run], *, now: datetime) -> list[int]:
    """Count of each market the newest closed candles that follow each other without a gap."""
    rows = await _queries.fetch(
        executor, "runs", symbols=[one.symbol for one in wanted],
        intervals=[interval_text(one.interval_seconds) for one in wanted],
        seconds=[one.interval_seconds for one in wanted], most=[one.most for one in wanted], now=now,
    )  # fmt: skip
    return [row["bars"] for row in rows]


async def first_candle(executor: Executor, *, symbol: str, interval_seconds: int) -> datetime | None:
    """Give when the first candle of a market opens."""
    found: datetime | None = await _queries.fetchval(
        executor, "first_candle", symbol=symbol, interval=interval_text(interval_seconds)
    )
    return found


async def anybody_trades(executor: Executor) -> bool:
    """Say whether any account trades by itself."""
    return bool(await _queries.fetchval(executor, "anybody_trades"))


async def is_taken(executor: Executor) -> bool:
    """Say whether a process works on packages of this database."""
    return bool(await _queries.fetchval(executor, "is_taken", key=_LOCK))


async def take(connection: Connection) -> bool:
    """Become the one that works, as long as this connection lives; False when there is one."""
    return bool(await _queries.fetchval(connection, "take", key=_LOCK))


async def active_ids(executor: Executor) -> frozenset[str]:
    """Give the packages that may be loaded."""
    return frozenset(row["id"] for row in await _queries.fetch(executor, "active_ids"))


async def newest_symbols(executor: Executor, *, interval_seconds: int, most: int) -> list[str]:
    """Give the markets that have candles of this length, those with the newest first."""
    rows = await _queries.fetch(executor, "newest_symbols", interval=interval_text(interval_seconds), most=most)
    return [row["symbol"] for row in rows]


async def followed(executor: Executor) -> list[Followed]:
    """Give the accounts that trade by themselves."""
    return [Followed(**row) for row in await _queries.fetch(executor, "followed")]


async def newer_candles(executor: Executor, marks: Sequence[Mark], *, now: datetime) -> list[bool]:
    """Tell of each mark whether a candle of its market closed after it."""
    rows = await _queries.fetch(
        executor, "newer_candles", symbols=[mark.symbol for mark in marks],
        intervals=[interval_text(mark.interval_seconds) for mark in marks],
        seconds=[mark.interval_seconds for mark in marks], moments=[mark.after for mark in marks], now=now,
    )  # fmt: skip
    found = {row["place"] for row in rows}
    return [place in found for place in range(1, len(marks) + 1)]
