"""Candles: stored all or none, and read as computing needs them, closed and without a gap."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

from prediction_service.runtime.packages.candles import Candles
from prediction_service.store import candles as store
from shared.coin_metrics import bars as coin_bars
from shared.coin_metrics.read import clock, layout, moment
from shared.contracts.candles import StoredCandles, interval_text
from shared.db import Executor, Pool, transaction
from shared.errors import TooFewCandles

Source = Literal["candles", "coin_metrics"]


_EPOCH = datetime.fromtimestamp(0, UTC)


async def closed_candles(
    executor: Executor,
    *,
    symbol: str,
    interval_seconds: int,
    bars: int,
    at: datetime | None = None,
    source: Source = "candles",
) -> Candles:
    """Give the newest `bars` closed candles that follow each other without a gap; fewer are `TooFewCandles`.

    `at`: as of then. Of `coin_metrics` the symbol is a mint, and an interval without trades a candle of volume 0.
    """
    end = await _last_close(executor, interval_seconds, at=at, source=source)
    if source == "coin_metrics":
        found = _as_candles(
            await coin_bars.bars(executor, symbol, seconds=interval_seconds, until=end, most=bars), interval_seconds
        )
    else:
        found = await store.newest(executor, symbol=symbol, interval_seconds=interval_seconds, close_by=end, most=bars)
    start = _start_of_run(found)
    if len(found) - start < bars:
        raise TooFewCandles(
            f"have {len(found) - start} of {bars} candles of {symbol} {interval_text(interval_seconds)}: "
            f"{_reason(found, start, source)}"
        )
    return found.part(start, len(found))


async def count_closed(
    executor: Executor,
    *,
    symbol: str,
    interval_seconds: int,
    bars: int,
    at: datetime | None = None,
    source: Source = "candles",
) -> int:
    """Count the newest closed candles that follow each other without a gap, up to `bars`."""
    end = await _last_close(executor, interval_seconds, at=at, source=source)
    if source == "candles":
        return await store.count_run(
            executor, symbol=symbol, interval_seconds=interval_seconds, close_by=end, most=bars
        )
    first = await coin_bars.first_price(executor, symbol, until=end)
    if first is None:
        return 0
    # A row right at the end of an interval belongs to it.
    return min(bars, int((end - first) // timedelta(seconds=interval_seconds)) + 1)


async def put_candles(pool: Pool, bars: Sequence[store.Bar]) -> StoredCandles:
    """Store candles, all or none; those who wait for them are told."""
    async with transaction(pool) as connection:
        written = await store.put(connection, bars)
        if written.inserted or written.updated:
            await store.announce(connection)
    unchanged = len(bars) - written.inserted - written.updated
    return StoredCandles(received=len(bars), inserted=written.inserted, updated=written.updated, unchanged=unchanged)


def without_trades(candles: Candles) -> int:
    """Count the candles in which nothing was traded."""
    return int(np.count_nonzero(candles.volume == 0))


async def reached(executor: Executor, source: Source) -> datetime:
    """Give the moment up to which candles may have closed."""
    if source == "candles":
        return datetime.now(UTC)
    # A recording knows its own time: one of last year is closed up to its end.
    recorded = await clock(executor, now=datetime.now(UTC)) if await layout(executor, ()) else None
    return recorded or _EPOCH


async def _last_close(executor: Executor, interval_seconds: int, *, at: datetime | None, source: Source) -> datetime:
    latest = await reached(executor, source)
    seconds = int(max(_EPOCH, latest if at is None else min(at, latest)).timestamp())
    return datetime.fromtimestamp(seconds - seconds % interval_seconds, UTC)


def _as_candles(found: coin_bars.Bars, interval_seconds: int) -> Candles:
    columns = {name: getattr(found, name) for name in ("open_time", "open", "high", "low", "close", "volume")}
    return Candles(**columns, interval_seconds=interval_seconds)


def _start_of_run(candles: Candles) -> int:
    breaks = np.flatnonzero(np.diff(candles.open_time) != candles.interval_seconds * 1_000_000)
    return int(breaks[-1]) + 1 if len(breaks) else 0


def _reason(candles: Candles, start: int, source: Source) -> str:
    if not len(candles):
        missing = "no price of it is recorded" if source == "coin_metrics" else "none is stored"
        return f"{missing}, or none is closed yet"
    first = written(moment(int(candles.open_time[start])))
    if start == 0:
        return f"there is nothing before {first}"
    return f"before them there is a gap from {written(moment(int(candles.close_time[start - 1])))} to {first}"


def written(at: datetime) -> str:
    """Give a moment as it is written in sentences."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
