"""Bars of one length out of a coin's irregular rows."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from shared.coin_metrics.read import Layout, layout, microseconds
from shared.coin_metrics.rows import Floats, Ints
from shared.db import Executor, OutOfRange, Queries, Record

_queries = Queries.beside(__file__)
_COLUMNS = ("price_open", "price_high", "price_low", "price_close", "volume_sol")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Bars of a coin, oldest first, one after the other."""

    open_time: Ints
    """int64[n], microseconds since 1970; a bar holds the rows after it, up to and with the start of the next."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    """SOL; 0 in a bar without a row, whose four prices are the close before it."""


async def bars(executor: Executor, mint: str, *, seconds: int, until: datetime, most: int) -> Bars:
    """Give the newest bars of a coin that end by `until`, which is the end of one; none before its first price."""
    start = until - timedelta(seconds=seconds * most)
    shape = await layout(executor, _COLUMNS)
    row = before = None
    if shape is not None:
        row = await _fetchrow(executor, shape, "bars", mint=mint, start=start, until=until, seconds=seconds)
        before = await _fetchrow(executor, shape, "price_before", mint=mint, start=start)
    traded = Bars(
        open_time=np.array((row and row["open_time"]) or (), np.int64),
        **{
            name: np.array((row and row[name]) or (), np.float64) for name in ("open", "high", "low", "close", "volume")
        },
    )
    return _without_holes(
        traded, price_before=before and before[0], start=microseconds(start), step=seconds * 1_000_000, most=most
    )


async def first_price(executor: Executor, mint: str, *, until: datetime) -> datetime | None:
    """Give the time of the first row of a coin with a price."""
    shape = await layout(executor, _COLUMNS)
    row = None if shape is None else await _fetchrow(executor, shape, "first_price", mint=mint, until=until)
    return None if row is None else row[0]


def _without_holes(traded: Bars, *, price_before: float | None, start: int, step: int, most: int) -> Bars:
    time = start + np.arange(most) * step
    place = (traded.open_time - start) // step
    # Which bar was traded last, up to each of them.
    latest = np.full(most, -1)
    latest[place] = np.arange(len(place))
    latest = np.maximum.accumulate(latest)
    closes = np.append(traded.close, np.nan if price_before is None else price_before)
    last = closes[latest]
    columns = {name: last.copy() for name in ("open", "high", "low", "close")} | {"volume": np.zeros(most)}
    for name, column in columns.items():
        column[place] = getattr(traded, name)
    known = ~np.isnan(last)
    return Bars(open_time=time[known], **{name: column[known] for name, column in columns.items()})


async def _fetchrow(executor: Executor, shape: Layout, name: str, **given: object) -> Record | None:
    query = _queries[name]
    arguments = query.arguments(given)
    for columns in (shape.fast, shape.safe):
        with suppress(OutOfRange):
            return await executor.fetchrow(query.text.replace("/*columns*/", columns), *arguments)
    return None
