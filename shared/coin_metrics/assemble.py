"""From Arrow tables to the rows of a window, each once and sorted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.presence import odd_columns, stand_ins
from shared.coin_metrics.read import microseconds
from shared.coin_metrics.rows import CoinRows, Ints
from shared.coin_metrics.sample import Sampled


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRows:
    """Rows of a window with what comes before and after it."""

    rows: CoinRows
    """Each (coin, timestamp) once, sorted by coin and timestamp; only coins with a row in the window."""
    in_window: NDArray[np.bool_]
    """bool[n]: the row lies in the window itself, bounds included."""
    last_seen: NDArray[np.int64]
    """int64[coins]: newest timestamp of each coin in the whole table, up to the clock, microseconds."""
    clock_us: int
    """The recording clock in microseconds."""
    untracked_phases: frozenset[int]
    """Phases in which a coin is not recorded any more."""
    sampled: Sampled | None = None
    """None: all coins of the window."""
    odd: frozenset[str] = frozenset()
    """Columns asked for their presence alone with some number so odd that features of it may be missing."""


def assemble(
    tables: list[Any],
    seen: Any,
    *,
    presence_of: Mapping[str, float],
    start: datetime,
    end: datetime,
    clock_us: int,
    untracked: frozenset[int],
    sampled: Sampled | None,
) -> TrainingRows:
    """Join the tables, which are emptied.

    `presence_of` gives what stands for a high number; `seen` tells the newest row of each coin, None: the tables do.
    """
    import pyarrow as pa

    table = pa.concat_tables(tables)
    tables.clear()
    read = frozenset(table.column_names)
    rows = CoinRows.from_arrow(table)
    bits = _integers(table["presence"]) if presence_of else None
    # Five million rows exist twice in memory from here on; not three times.
    del table
    order = rows.unique_order()[0]
    coin, timestamp = rows.coin[order], rows.timestamp[order]
    in_window = (timestamp >= microseconds(start)) & (timestamp <= microseconds(end))
    present = np.zeros(len(rows.mints), np.bool_)
    present[coin[in_window]] = True
    # Coins that only appear after the window teach nothing.
    kept = present[coin]
    order = order[kept]
    nothing = np.full(len(order), np.nan)
    nothing.flags.writeable = False
    taken = replace(rows, values={name: rows.values[name] for name in BASE_FEATURES if name in read}).take(order)
    values = {name: taken.values.get(name, nothing) for name in BASE_FEATURES}
    if bits is not None:
        bits = bits[order]
        values |= stand_ins(bits, presence_of)
    taken = replace(taken, values=values)
    return TrainingRows(
        rows=taken,
        in_window=in_window[kept],
        last_seen=_last_seen(taken, seen),
        clock_us=clock_us,
        untracked_phases=untracked,
        sampled=sampled,
        odd=frozenset() if bits is None else odd_columns(bits, tuple(presence_of)),
    )


def _last_seen(rows: CoinRows, seen: Any) -> Ints:
    import pyarrow as pa
    import pyarrow.compute as pc

    last_seen = np.zeros(len(rows.mints), np.int64)
    # Sorted by time: the last write to a coin stands.
    last_seen[rows.coin] = rows.timestamp
    if seen is None:
        return last_seen
    place = pc.index_in(seen["mint"].cast(pa.large_string()), pa.array(rows.mints, pa.large_string()))
    known = place.is_valid().to_numpy()
    times = _integers(seen["timestamp"].cast(pa.timestamp("us", "UTC")))
    last_seen[place.to_numpy()[known].astype(np.int64)] = times[known]
    return last_seen


def _integers(column: Any) -> Ints:
    import pyarrow as pa

    return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)
