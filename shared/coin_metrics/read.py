"""Reading `coin_metrics` live: what is new, what appeared late, the last rows of some coins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from shared.coin_metrics.clock import AHEAD, recording_clock
from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.rows import NO_PHASE, Bools, CoinRows, Floats, Ints, cleaned
from shared.coin_metrics.table import FIXED, casts
from shared.coin_metrics.table import queries as table_queries
from shared.db import Executor, OutOfRange, Queries, Query, Record

_queries = Queries.beside(__file__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEWEST_ID = 2**63 - 1


def microseconds(moment: datetime) -> int:
    """Give microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """Give the UTC datetime of microseconds since 1970."""
    return _EPOCH + value * _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How to read some columns of the table as it is: casts to double precision, NULL for those it lacks."""

    columns: tuple[str, ...]
    """Base columns, in the order of the last axis of `values`."""
    missing: tuple[str, ...]
    """Those of them that the table lacks; they read as NULL."""
    fast: str
    """The select list."""
    safe: str
    """The same for tables that hold numbers beyond double precision, which then read as NULL or 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows in the order of their ids."""

    id: Ints
    mint: list[str]
    timestamp: Ints
    """Microseconds since 1970 UTC."""
    phase: Ints
    """-1 where NULL."""
    values: Floats
    """float64[n, B] in raw units; B as in the layout; NULL is NaN."""

    def __len__(self) -> int:
        return len(self.mint)

    def take(self, index: Sequence[int] | Ints) -> "Batch":
        """Give the chosen rows in the order of the index."""
        at = np.asarray(index, np.int64)
        return Batch(
            id=self.id[at],
            mint=[self.mint[i] for i in at.tolist()],
            timestamp=self.timestamp[at],
            phase=self.phase[at],
            values=self.values[at],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """The last rows of n coins, right-aligned: the newest row stands at the end."""

    values: Floats
    """float64[n, H, B]; entries before the last `count` are meaningless."""
    timestamp: Ints
    """int64[n, H]."""
    count: Ints
    """int64[n], 0..H."""

    def take(self, chosen: Ints | Bools) -> "Histories":
        """Give those of some coins."""
        return Histories(values=self.values[chosen], timestamp=self.timestamp[chosen], count=self.count[chosen])


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Put batches of the same layout together, in order."""
    return Batch(
        id=np.concatenate([batch.id for batch in batches]),
        mint=[mint for batch in batches for mint in batch.mint],
        timestamp=np.concatenate([batch.timestamp for batch in batches]),
        phase=np.concatenate([batch.phase for batch in batches]),
        values=np.concatenate([batch.values for batch in batches]),
    )


async def layout(executor: Executor, columns: Sequence[str]) -> Layout | None:
    """Look at the table; None while it does not exist."""
    types = {row["name"]: row["type"] for row in await table_queries.fetch(executor, "columns")}
    if not types.keys() >= set(FIXED):
        return None
    missing = tuple(column for column in columns if column not in types)
    fast, safe = (", ".join(casts(types, columns, safe=safe)) for safe in (False, True))
    return Layout(columns=tuple(columns), missing=missing, fast=fast, safe=safe)


async def since(executor: Executor, layout: Layout, *, high: int, most: int) -> Batch:
    """Give the rows with ids above `high` that are visible, lowest ids first."""
    return _batch(await _fetch(executor, layout, "since", high=high, most=most), layout)


async def among(executor: Executor, layout: Layout, *, ranges: Sequence[tuple[int, int]], most: int) -> Batch:
    """Give the visible rows whose ids lie in the ranges."""
    lows, highs = [low for low, _ in ranges], [high for _, high in ranges]
    return _batch(await _fetch(executor, layout, "among", lows=lows, highs=highs, most=most), layout)


async def tails(
    executor: Executor, layout: Layout, *, mints: Sequence[str], times: Ints, ids: Ints, rows: int, until: int
) -> tuple[Histories, Bools]:
    """Give for each wanted coin its newest rows up to its time and id, one per timestamp.

    Also tells for which of them the coin has no later row up to `until` (microseconds) and its id: their newest row is
    the newest of the coin.
    """
    found = await _fetch(
        executor, layout, "tails", mints=list(mints), times=[moment(int(time)) for time in times], ids=ids.tolist(),
        most=rows, until=moment(until),
    )  # fmt: skip
    values = np.full((len(mints), rows, len(layout.columns)), np.nan)
    timestamp = np.zeros((len(mints), rows), np.int64)
    count = np.zeros(len(mints), np.int64)
    newest = np.zeros(len(mints), np.bool_)
    for record in found:
        coin = record["ordinal"] - 1
        slot = rows - 1 - count[coin]
        values[coin, slot] = np.array(record[5:], np.float64)
        timestamp[coin, slot] = microseconds(record["time"])
        count[coin] += 1
        newest[coin] = not record["behind"]
    return Histories(values=values, timestamp=timestamp, count=count), newest


async def tail(executor: Executor, mint: str, *, at: datetime | None, rows: int) -> CoinRows:
    """Give the newest rows of one coin, oldest first, none later than `at`; none of an unknown coin."""
    shape = await layout(executor, BASE_FEATURES)
    found: list[Record] = []
    if shape is not None:
        limit = at or datetime.max.replace(tzinfo=UTC)
        found = await _fetch(
            executor, shape, "tails", mints=[mint], times=[limit], ids=[_NEWEST_ID], most=rows, until=limit
        )
    found.reverse()
    values = np.array([record[5:] for record in found], np.float64).reshape(len(found), len(BASE_FEATURES))
    return CoinRows(
        mints=(mint,),
        coin=np.zeros(len(found), np.int64),
        timestamp=np.array([microseconds(record["time"]) for record in found], np.int64),
        id=np.array([record["id"] for record in found], np.int64),
        phase=_phases(found),
        values={name: cleaned(name, values[:, at]) for at, name in enumerate(BASE_FEATURES)},
    )


async def clock(executor: Executor, *, now: datetime) -> datetime | None:
    """Give the recording clock: the newest believable timestamp of the table."""
    limit = now + AHEAD * _MICROSECOND
    rows = await table_queries.fetch(executor, "clock_rows", limit=limit)
    few = await table_queries.fetchval(executor, "few_coins", limit=limit)
    times = np.array([microseconds(row["time"]) for row in rows], np.int64)
    codes = {mint: code for code, mint in enumerate(dict.fromkeys(row["mint"] for row in rows))}
    coins = np.array([codes[row["mint"]] for row in rows], np.int64)
    found = recording_clock(times, coins, wall=microseconds(now), few_coins=few)
    return None if found is None else moment(found)


async def _fetch(executor: Executor, layout: Layout, name: str, **given: object) -> list[Record]:
    query = _queries[name]
    arguments = query.arguments(given)
    try:
        return list(await executor.fetch(_with(query, layout.fast), *arguments))
    except OutOfRange:
        return list(await executor.fetch(_with(query, layout.safe), *arguments))


def _with(query: Query, columns: str) -> str:
    return query.text.replace("/*columns*/", columns)


def _batch(found: list[Record], layout: Layout) -> Batch:
    return Batch(
        id=np.array([record[0] for record in found], np.int64),
        mint=[record[1] for record in found],
        timestamp=np.array([(record[2] - _EPOCH) // _MICROSECOND for record in found], np.int64),
        phase=_phases(found),
        values=np.array([record[4:] for record in found], np.float64).reshape(len(found), len(layout.columns)),
    )


def _phases(found: list[Record]) -> Ints:
    phases = [record["phase_id_at_time"] for record in found]
    return np.array([NO_PHASE if phase is None else phase for phase in phases], np.int64)
