"""Looking ahead from rows of coins, sorted by coin and time: how far, and how high, up to the horizon."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.coin_metrics.rows import Bools, CoinRows, Floats, Ints

GRADUATED_PCT = 99.5
NEVER = int(np.iinfo(np.int64).max)
"""A time that no clock reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """How the rows of each coin end; arrays by coin code."""

    last_row: Ints
    last_seen: Ints
    """Newest timestamp, microseconds."""
    left_row: Ints
    """The first row that shows the coin as no longer followed; huge: there is none, -1: it is not among them."""
    left_at: Ints
    """Its timestamp, microseconds."""

    @classmethod
    def of(cls, rows: CoinRows, untracked_phases: frozenset[int], *, left_at: Ints | None = None) -> "Endings":
        """Find them in sorted rows: a coin leaves with a row in an untracked phase or a bonding curve ≥ 99.5 %.

        `left_at` tells of such rows that are not among them.
        """
        last_row = np.full(len(rows.mints), -1)
        last_row[rows.coin] = np.arange(len(rows))
        last_seen = np.full(len(rows.mints), -NEVER)
        last_seen[rows.coin] = rows.timestamp
        leaving = np.flatnonzero(_shows_end(rows, untracked_phases))[::-1]
        left_row = np.full(len(rows.mints), NEVER)
        found_at = np.full(len(rows.mints), NEVER)
        # Of several writes to one coin the last stands: going backwards, that of its first such row.
        left_row[rows.coin[leaving]] = leaving
        found_at[rows.coin[leaving]] = rows.timestamp[leaving]
        if left_at is not None:
            left_row[left_at < found_at] = -1
            found_at = np.minimum(found_at, left_at)
        return cls(last_row=last_row, last_seen=last_seen, left_row=left_row, left_at=found_at)


def _shows_end(rows: CoinRows, untracked_phases: frozenset[int]) -> Bools:
    finished = np.isin(rows.phase, sorted(untracked_phases))
    return finished | (rows.values["bonding_curve_pct"] >= GRADUATED_PCT)


def last_row_until(rows: CoinRows, horizon: int, last_row: Ints) -> Ints:
    """Give for each sorted row the last row of its coin at most `horizon` microseconds later, int64[n].

    One search over one rising key for all coins. Steps are cut to just above the horizon: a row beyond such a step is
    beyond the horizon either way, and the key stays within 64 bits. A search that runs into the next coin stops at
    `last_row`, the last row of each coin by code.

    >>> rows = CoinRows(
    ...     mints=("A", "B"),
    ...     coin=np.array([0, 0, 0, 1, 1]),
    ...     timestamp=np.array([0, 10, 21, 5, 6]),
    ...     id=np.arange(5),
    ...     phase=np.ones(5, np.int64),
    ...     values={},
    ... )
    >>> last_row_until(rows, 10, np.array([2, 4])).tolist()
    [1, 1, 2, 4, 4]
    """
    key = np.zeros(len(rows), dtype=np.int64)
    step = np.minimum(np.diff(rows.timestamp), horizon + 1)
    step[np.diff(rows.coin) != 0] = 1
    np.cumsum(step, out=key[1:])
    return np.minimum(np.searchsorted(key, key + horizon, side="right") - 1, last_row[rows.coin])


def furthest(values: Floats, until: Ints, direction: Literal["up", "down"]) -> Floats:
    """Give the highest (up) or lowest (down) value from each row to row `until`, both included, float64[n].

    NaN are passed over; where there is nothing else the result is ∓inf. Spans of doubling length, each made from the
    one before: memory for one of them, whatever the length of the ranges.

    >>> furthest(np.array([2.0, np.nan, 5.0, 1.0]), np.array([1, 2, 3, 3]), "up").tolist()
    [2.0, 5.0, 5.0, 1.0]
    """
    extreme, nothing = (np.maximum, -np.inf) if direction == "up" else (np.minimum, np.inf)
    best = np.where(np.isnan(values), nothing, values)
    length = until - np.arange(len(values)) + 1
    result = np.empty(len(values))
    span = 1
    while span <= length.max(initial=0):
        now = np.flatnonzero((length >= span) & (length < 2 * span))
        result[now] = extreme(best[now], best[until[now] - span + 1])
        extreme(best[:-span], best[span:], out=best[:-span])
        span *= 2
    return result
