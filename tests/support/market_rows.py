"""Rows of coins as ugly as real ones: gaps, repeats, missing values, zeros, equal prices, coins with one row."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared.coin_metrics.columns import BASE_FEATURES, PRICE_COLUMNS
from shared.coin_metrics.rows import CoinRows
from shared.features import FeatureSpec

SECOND = 1_000_000
MINUTE = 60 * SECOND
START = 1_757_106_000 * SECOND

# Prices beside ugly ones: repeated, a step of exactly 30 %, missing, zero, negative, infinite.
PRICES = [3e-8, 3e-8, 3.9e-8, 2.1e-8, 2.9e-8, 4.5e-8, 1e-7, 2.7e-9, np.nan, 0.0, -1e-8, np.inf]
AMOUNTS = [0.0, 0.0, 0.5, 1.25, 3.7, 100.0, 1e-9, np.nan, -np.inf]
CURVE = [0.0, 12.5, 60.0, 99.49, 99.5, 100.0, np.nan]
PHASES = [1, 1, 2, 3, 99, 100, -1]
# Intervals of 5, 30 and 60 s, a hole of six hours, a moment that is no round second.
STEPS = [5 * SECOND, 5 * SECOND, 30 * SECOND, MINUTE, 10 * MINUTE, 6 * 60 * MINUTE, 1_234_567]


def column(name: str, size: int) -> st.SearchStrategy[np.ndarray]:
    if name in PRICE_COLUMNS:
        elements = st.sampled_from(PRICES) | st.floats(1e-10, 1e-4)
    elif name == "bonding_curve_pct":
        elements = st.sampled_from(CURVE)
    else:
        elements = st.sampled_from(AMOUNTS) | st.floats(0, 1e6)
    return arrays.arrays(np.float64, size, elements=elements)


@st.composite
def coin_rows(
    draw: st.DrawFn, *, columns: Sequence[str] = BASE_FEATURES, max_rows: int = 30, repeats: bool = True
) -> CoinRows:
    """Rows of one to three coins on shared ticks, in no order; missing values are still as the tracker wrote them."""
    ticks = START + np.cumsum([0, *draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=max_rows))])
    coins = draw(st.integers(1, 3))
    seat = st.tuples(st.integers(0, coins - 1), st.sampled_from(ticks.tolist()))
    seats = draw(st.lists(seat, min_size=1, max_size=max_rows, unique=not repeats))
    size = len(seats)
    return CoinRows(
        mints=("A", "B", "C")[:coins],
        coin=np.array([coin for coin, _ in seats]),
        timestamp=np.array([timestamp for _, timestamp in seats]),
        id=np.array(draw(st.permutations(range(size)))),
        phase=np.array(draw(st.lists(st.sampled_from(PHASES), min_size=size, max_size=size))),
        values={name: draw(column(name, size)) for name in columns},
    )


def one_coin(timestamp: Sequence[int], **columns: Sequence[float]) -> CoinRows:
    """Rows of a single coin, in order, with everything that is not given missing."""
    size = len(timestamp)
    values = {name: np.full(size, np.nan) for name in BASE_FEATURES}
    values.update({name: np.array(column, dtype=np.float64) for name, column in columns.items()})
    return CoinRows(
        mints=("A",),
        coin=np.zeros(size, np.int64),
        timestamp=np.array(timestamp, dtype=np.int64),
        id=np.arange(size),
        phase=np.ones(size, np.int64),
        values=values,
    )


def histories(
    rows: CoinRows, spec: FeatureSpec, *, depth: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Right-aligned histories as a live worker keeps them, with rubbish before them, and the row each one ends at."""
    order, _ = rows.unique_order()
    present = np.unique(rows.coin)
    values = np.full((len(present), depth, len(spec.base_columns)), 777.0)
    timestamp = np.full((len(present), depth), -5)
    count = np.empty(len(present), np.int64)
    last = np.empty(len(present), np.int64)
    for at, coin in enumerate(present):
        own = order[rows.coin[order] == coin][-depth:]
        count[at], last[at] = len(own), own[-1]
        timestamp[at, depth - len(own) :] = rows.timestamp[own]
        for number, name in enumerate(spec.base_columns):
            values[at, depth - len(own) :, number] = rows.values[name][own]
    return values, timestamp, count, last
