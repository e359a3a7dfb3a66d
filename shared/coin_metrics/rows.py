"""Rows of `coin_metrics` as arrays: the one shape that features and labels take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.columns import BASE_FEATURES, PRICE_COLUMNS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_PHASE = -1


def cleaned(name: str, values: Floats) -> Floats:
    """Give the values of a column with everything that counts as missing set to NaN.

    Missing are NaN, ±inf and, in the four price columns, whatever is not above 0. Any shape; always a new array.

    >>> cleaned("price_close", np.array([3e-8, 0.0, -1.0, np.inf])).tolist()
    [3e-08, nan, nan, nan]
    >>> cleaned("volume_sol", np.array([2.0, 0.0, np.inf])).tolist()
    [2.0, 0.0, nan]
    """
    present = np.isfinite(values)
    if name in PRICE_COLUMNS:
        present &= values > 0
    return np.where(present, values, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinRows:
    """Rows of many coins in any order; all arrays have one entry a row.

    >>> rows = CoinRows(
    ...     mints=("A", "B"),
    ...     coin=np.array([1, 0, 1, 1]),
    ...     timestamp=np.array([20, 10, 10, 20]),
    ...     id=np.array([7, 3, 4, 9]),
    ...     phase=np.array([1, 1, -1, 1]),
    ...     values={"volume_sol": np.array([0.5, 1.0, 2.0, 0.7])},
    ... )
    >>> rows.sort_order().tolist()
    [1, 2, 0, 3]
    >>> rows.deduplicated().values["volume_sol"].tolist()
    [1.0, 2.0, 0.7]
    """

    mints: tuple[str, ...]
    """Coin code → mint."""
    coin: Ints
    """Coin code of the row, 0..len(mints)-1."""
    timestamp: Ints
    """Microseconds since 1970-01-01 UTC."""
    id: Ints
    """Row number of the tracker."""
    phase: Ints
    """Phase of the row; -1 where it is NULL."""
    values: Mapping[str, Floats]
    """Base columns in raw units, missing values as NaN (see `cleaned`)."""

    def __len__(self) -> int:
        return len(self.coin)

    def take(self, index: Ints | Bools | slice) -> "CoinRows":
        """Give the chosen rows, in the order of the index; the coin codes keep their meaning."""
        return CoinRows(
            mints=self.mints,
            coin=self.coin[index],
            timestamp=self.timestamp[index],
            id=self.id[index],
            phase=self.phase[index],
            values={name: values[index] for name, values in self.values.items()},
        )

    def sort_order(self) -> Ints:
        """Give the index int64[n] that sorts by coin, timestamp, id; equal rows keep their order."""
        if self._is_sorted():
            return np.arange(len(self), dtype=np.int64)
        # Sixteen bits let numpy sort by radix: several times faster than comparing 64.
        coin = self.coin.astype(np.uint16) if len(self.mints) <= np.iinfo(np.uint16).max else self.coin
        return np.lexsort((self.id, self.timestamp, coin))

    def unique_order(self) -> tuple[Ints, Ints]:
        """Give the rows that count, sorted by coin and timestamp, and where each row of the input went.

        The first array int64[u] holds one row of each (coin, timestamp), that of the highest id. The second int64[n]
        holds for every row its place in the first: results `r` of the rows that count are `r[second]` in input order.
        """
        order = self.sort_order()
        coin, timestamp = self.coin[order], self.timestamp[order]
        last = np.ones(len(self), dtype=np.bool_)
        last[:-1] = (coin[1:] != coin[:-1]) | (timestamp[1:] != timestamp[:-1])
        slot = np.empty(len(self), dtype=np.int64)
        if last.all():
            slot[order] = np.arange(len(self))
            return order, slot
        slot[order] = np.cumsum(last) - last
        return order[last], slot

    def deduplicated(self) -> "CoinRows":
        """Give each (coin, timestamp) once, the highest id of it, sorted by coin and timestamp."""
        return self.take(self.unique_order()[0])

    def _is_sorted(self) -> bool:
        later = self.timestamp[1:] > self.timestamp[:-1]
        if not later.all():
            later |= (self.timestamp[1:] == self.timestamp[:-1]) & (self.id[1:] >= self.id[:-1])
        same, next_ = self.coin[1:] == self.coin[:-1], self.coin[1:] > self.coin[:-1]
        return bool(np.all(next_ | (same & later)))

    @classmethod
    def from_arrow(cls, table: Any) -> "CoinRows":
        """Take a `pyarrow.Table` with `mint`, `timestamp` and any of `id`, `phase_id_at_time` and the base columns.

        Coin codes follow the sorted mints. A base column the table lacks is all NaN, a phase column -1, an id column
        the row number. Raises ValueError when a mint or a timestamp is NULL.

        >>> import datetime as dt, pyarrow as pa
        >>> at = dt.datetime(2025, 9, 6, 20, 0, tzinfo=dt.UTC)
        >>> table = pa.table({"mint": ["B", "A"], "timestamp": [at, at], "price_close": [3e-8, 0.0]})
        >>> rows = CoinRows.from_arrow(table)
        >>> rows.mints, rows.coin.tolist(), rows.values["price_close"].tolist()
        (('A', 'B'), [1, 0], [3e-08, nan])
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        for name in ("mint", "timestamp"):
            if table[name].null_count:
                raise ValueError(f"{table[name].null_count} rows of coin_metrics have no {name}")
        encoded = pa.array(table["mint"].combine_chunks(), pa.large_string()).dictionary_encode()
        order = pc.array_sort_indices(encoded.dictionary).to_numpy()
        code = np.empty(len(order), dtype=np.int64)
        code[order] = np.arange(len(order))
        names = set(table.column_names)
        nothing = np.full(table.num_rows, np.nan)
        nothing.flags.writeable = False
        return cls(
            mints=tuple(encoded.dictionary.take(pa.array(order)).to_pylist()),
            coin=code[encoded.indices.to_numpy(zero_copy_only=False)],
            timestamp=_integers(table["timestamp"].cast(pa.timestamp("us", "UTC"), safe=False), 0),
            id=_integers(table["id"], -1) if "id" in names else np.arange(table.num_rows, dtype=np.int64),
            phase=_integers(table["phase_id_at_time"], NO_PHASE)
            if "phase_id_at_time" in names
            else np.full(table.num_rows, NO_PHASE, dtype=np.int64),
            values={name: cleaned(name, _floats(table[name])) if name in names else nothing for name in BASE_FEATURES},
        )


def _integers(column: Any, null: int) -> Ints:
    import pyarrow as pa

    numbers = column.cast(pa.int64()).fill_null(null).to_numpy()
    return np.asarray(numbers, dtype=np.int64)


def _floats(column: Any) -> Floats:
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan).to_numpy(), dtype=np.float64)
