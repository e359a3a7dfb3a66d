"""The table candles: bars of markets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from prediction_service.runtime.packages.candles import Candles
from shared.contracts.candles import EPOCH, interval_text
from shared.contracts.candles import interval_seconds as interval_seconds_of
from shared.db import Connection, Executor, Queries

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One candle of a market."""

    symbol: str
    interval: str
    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch without candles."""

    since: datetime
    """open_time of the first that is missing."""
    until: datetime
    """open_time of the next that is there."""
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What there is of a market."""

    candles: int
    first: datetime | None
    last: datetime | None
    total_gaps: int
    missing: int
    """Candles that lack between first and last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A market with candles of one length."""

    symbol: str
    interval: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of candles."""

    inserted: int
    updated: int
    """Were there with other numbers."""


async def put(connection: Connection, bars: Sequence[Bar]) -> Written:
    """Write candles, each (symbol, interval, open_time) at most once; those that are there are overwritten."""
    row = await _queries.fetchrow(
        connection,
        "put",
        symbols=[bar.symbol for bar in bars],
        intervals=[bar.interval for bar in bars],
        open_times=[bar.open_time for bar in bars],
        opens=[bar.open for bar in bars],
        highs=[bar.high for bar in bars],
        lows=[bar.low for bar in bars],
        closes=[bar.close for bar in bars],
        volumes=[bar.volume for bar in bars],
    )
    assert row is not None
    return Written(inserted=row["inserted"], updated=row["updated"])


async def announce(connection: Connection) -> None:
    """Tell those who wait for candles, as soon as the transaction is committed."""
    await _queries.execute(connection, "announce")


async def newest(executor: Executor, *, symbol: str, interval_seconds: int, close_by: datetime, most: int) -> Candles:
    """Give the newest candles that close by then, oldest first, with whatever gaps there are."""
    row = await _queries.fetchrow(
        executor,
        "newest",
        symbol=symbol,
        interval=interval_text(interval_seconds),
        until=close_by - timedelta(seconds=interval_seconds),
        most=most,
    )
    assert row is not None
    times = np.array(row["open_time"] or (), np.int64)[::-1]
    columns = {name: np.array(row[name] or (), np.float64)[::-1] for name in ("open", "high", "low", "close", "volume")}
    return Candles(open_time=times, **columns, interval_seconds=interval_seconds)


async def closes_at(
    executor: Executor, *, symbol: str, interval_seconds: int, moments: Sequence[datetime]
) -> list[float | None]:
    """Give the newest close known at each of some moments, oldest first; None before the first."""
    rows = await _queries.fetch(
        executor,
        "closes_at",
        symbol=symbol,
        interval=interval_text(interval_seconds),
        seconds=interval_seconds,
        moments=moments,
        first=moments[0],
    )
    return [row["close"] for row in rows]


async def count_run(executor: Executor, *, symbol: str, interval_seconds: int, close_by: datetime, most: int) -> int:
    """Count the newest candles without a gap that close by then, up to `most`."""
    return int(
        await _queries.fetchval(
            executor,
            "count_run",
            symbol=symbol,
            interval=interval_text(interval_seconds),
            seconds=interval_seconds,
            until=close_by - timedelta(seconds=interval_seconds),
            most=most,
        )
    )


async def list_page(
    executor: Executor,
    *,
    symbol: str,
    interval: str,
    since: datetime,
    until: datetime,
    before: datetime,
    most: int,
) -> list[Bar]:
    """Give candles that open between since and until, both included, and before a time; newest first."""
    rows = await _queries.fetch(
        executor, "list_page", symbol=symbol, interval=interval, since=since, until=until, before=before, most=most
    )
    return [Bar(**row) for row in rows]


async def coverage(executor: Executor, *, symbol: str, interval: str) -> Coverage:
    """Sum up what there is of a market."""
    row = await _queries.fetchrow(
        executor, "coverage", symbol=symbol, interval=interval, seconds=interval_seconds_of(interval)
    )
    assert row is not None
    return Coverage(**row)


async def gaps(executor: Executor, *, symbol: str, interval: str, most: int, since: datetime = EPOCH) -> list[Gap]:
    """Give the gaps between the candles from a time on, newest first."""
    rows = await _queries.fetch(
        executor,
        "gaps",
        symbol=symbol,
        interval=interval,
        seconds=interval_seconds_of(interval),
        since=since,
        most=most,
    )
    return [Gap(**row) for row in rows]


async def list_series(executor: Executor, *, after: str, most: int) -> list[Series]:
    """Give what has candles, of at most so many symbols behind one, by symbol."""
    return [Series(**row) for row in await _queries.fetch(executor, "series", after=after, most=most)]
