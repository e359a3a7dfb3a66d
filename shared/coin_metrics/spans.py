"""Reading stretches of `coin_metrics`, one for each of many coins, without holding up an event loop."""

from collections.abc import Sequence
from datetime import UTC, datetime

from shared.coin_metrics.read import Layout, microseconds, moment
from shared.coin_metrics.rows import CoinRows, Ints, cleaned
from shared.coin_metrics.table import FINISHED_PHASES
from shared.coin_metrics.table import queries as table_queries
from shared.db import (
    ConnectionLost,
    Executor,
    LockNotAvailable,
    OutOfRange,
    PostgresError,
    Queries,
    QueryCanceled,
    Record,
)
from shared.packed import doubles, integers

_queries = Queries.beside(__file__)
_BEFORE_ALL = datetime(1, 1, 2, tzinfo=UTC)


async def table_file(executor: Executor) -> int | None:
    """Give a number that changes when the table is emptied or made anew; None while there is none."""
    file: int | None = await _queries.fetchval(executor, "file")
    return file


async def untracked_phases(executor: Executor) -> frozenset[int]:
    """Give the phases in which a coin is not recorded any more; not to be asked inside a transaction."""
    try:
        return frozenset(row["id"] for row in await table_queries.fetch(executor, "untracked"))
    except (*ConnectionLost, QueryCanceled, LockNotAvailable):
        raise
    except PostgresError:
        return FINISHED_PHASES


async def rows_of(executor: Executor, layout: Layout, *, mints: Sequence[str], starts: Ints, ends: Ints) -> CoinRows:
    """Give the rows of each coin from its start to its end (microseconds, included); codes are places in `mints`."""
    packed = "".join(f", string_agg(float8send(coalesce({name}, 'NaN')), '') AS {name}" for name in layout.columns)
    [found] = await _fetch(
        executor, layout, "spans", packed=packed, mints=list(mints), starts=_moments(starts), ends=_moments(ends)
    )
    return CoinRows(
        mints=tuple(mints),
        coin=integers(found["coin"], "integer") - 1,
        timestamp=integers(found["time"], "timestamptz"),
        id=integers(found["id"], "bigint"),
        phase=integers(found["phase"], "integer"),
        values={name: cleaned(name, doubles(found[name])) for name in layout.columns},
    )


async def last_seen(executor: Executor, *, mints: Sequence[str], clock: int) -> Ints:
    """Give the newest timestamp of each coin up to the clock, microseconds; that of year 1 where there is none."""
    packed = await _queries.fetchval(executor, "last_seen", mints=list(mints), clock=moment(clock))
    return integers(packed, "timestamptz")


async def ends_of(
    executor: Executor,
    layout: Layout,
    *,
    mints: Sequence[str],
    starts: Sequence[int | None],
    ends: Ints,
    untracked: frozenset[int],
    graduated_pct: float,
) -> dict[int, int]:
    """Find coins that a row from start (None: any) to just before end shows as no longer followed: place → when."""
    begins = [_BEFORE_ALL if start is None else moment(start) for start in starts]
    found = await _fetch(
        executor, layout, "ends", packed="", mints=list(mints), starts=begins, ends=_moments(ends),
        untracked=sorted(untracked), graduated_pct=graduated_pct,
    )  # fmt: skip
    return {row["coin"] - 1: microseconds(row["time"]) for row in found}


def _moments(times: Ints) -> list[datetime]:
    return [moment(time) for time in times.tolist()]


async def _fetch(executor: Executor, layout: Layout, name: str, *, packed: str, **given: object) -> list[Record]:
    query = _queries[name]
    text = query.text.replace("/*packed*/", packed)
    arguments = query.arguments(given)
    try:
        return list(await executor.fetch(text.replace("/*columns*/", layout.fast), *arguments))
    except OutOfRange:
        return list(await executor.fetch(text.replace("/*columns*/", layout.safe), *arguments))
