"""Do some values of one feature come with ones only? Counted in ranges of its values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Bools, Floats, Ints
from training_service.ml.fit import Answers

MOST_BINS = 64
_ROWS_OF_A_BIN = 10
# In a bin that names ones by itself, next to nothing else is found.
_NEARLY_ALL = 0.995
_SIGMAS = 2.58


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Ranges of one feature's values, most ones first by one half of the rows, and what the other half holds there."""

    edges: NDArray[np.float32]
    """Rising lower edges of the ranges above the first one; missing values have a range of their own."""
    order: Ints
    """Number of each range by its values, the missing ones last."""
    share: Floats
    """Share of ones that the first half has there."""
    ones: Floats
    """Of the other half."""
    zeros: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How purely some values of one feature name the ones, on rows that did not choose the values."""

    name: str
    rows: int
    """That hold such a value."""
    ones: int
    """Of them."""
    coverage: float
    """Share of all ones that hold such a value."""
    coins: int
    """Of these ones. Rows of one coin prove nothing: its level of price may be its own."""
    lowest: float
    """Share of ones among the rows, its lower bound with 99 % confidence."""
    odds: float
    """Of a one, at that bound, as a multiple of those of any row."""


def cut_bins(values: NDArray[np.float32], answers: Answers, tested: NDArray[np.float32], truth: Answers) -> Bins:
    """Order the quantile bins of a feature by their share of ones, and count other rows in them.

    Bins are cut from `values`, with one of their own for missing values and for each value that fills several bins;
    a bin holds ten rows or more, so that none of them is a single row.

    Args:
        values: float32[n] of the rows that give the shares; NaN: missing.
        answers: [n], both 0 and 1 present.
        tested: float32[m] of the rows that are counted.
        truth: [m].

    """
    edges = _edges(values)
    place, seen = bins_of(values, edges), bins_of(tested, edges)
    bins = len(edges) + 2
    ones, rows = np.bincount(place, weights=answers, minlength=bins), np.bincount(place, minlength=bins)
    share = (ones + np.mean(answers)) / (rows + 1)
    order = np.argsort(-share, kind="stable")
    hits = np.asarray(np.bincount(seen, weights=truth, minlength=bins), np.float64)
    misses = np.bincount(seen, minlength=bins) - hits
    return Bins(edges=edges, order=order, share=share[order], ones=hits[order], zeros=misses[order])


def pure_bins(bins: Bins, *, weight: float) -> int:
    """Give how many of the first bins hold next to nothing but ones, where each zero counts `weight` times; 0 for none.

    >>> values, answers = np.repeat(np.array([1, 2, 3], np.float32), 100), np.repeat([0, 1, 1], 100)
    >>> pure_bins(cut_bins(values, answers, values, answers), weight=1.0) > 0
    True
    """
    ones, zeros = np.cumsum(bins.ones), np.cumsum(bins.zeros) * weight
    pure = np.flatnonzero((ones > 0) & (ones >= _NEARLY_ALL * (ones + zeros)))
    return int(pure[-1]) + 1 if len(pure) else 0


def count_named(name: str, inside: Bools, answers: Answers, coin: Ints) -> Naming:
    """Count the rows with a value that names ones: `inside` bool[n], answers [n] with both 0 and 1, coin int64[n].

    >>> found = count_named("x", np.arange(1000) < 100, np.arange(1000) < 200, np.arange(1000) % 50)
    >>> found.rows, found.ones, found.coverage, found.coins, round(found.lowest, 3), round(found.odds)
    (100, 100, 0.5, 50, 0.938, 60)
    """
    named = inside & (answers == 1)
    rows, ones, all_ones = int(np.count_nonzero(inside)), int(np.count_nonzero(named)), int(np.count_nonzero(answers))
    lowest = lower_bound(ones, rows)
    return Naming(
        name=name,
        rows=rows,
        ones=ones,
        coverage=ones / all_ones,
        coins=len(np.unique(coin[named])),
        lowest=lowest,
        odds=lowest / (1 - lowest) * (len(answers) - all_ones) / all_ones,
    )


def lower_bound(hits: int, rows: int) -> float:
    """Give the lower bound of a share with 99 % confidence on both sides: Wilson's interval; 0 without rows.

    Source:
        E. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.

    >>> round(lower_bound(100, 100), 3), lower_bound(0, 0)
    (0.938, 0.0)

    """
    if not rows:
        return 0.0
    share, extra = hits / rows, _SIGMAS**2 / rows
    spread = (share * (1 - share) * extra + extra**2 / 4) ** 0.5
    return float((share + extra / 2 - spread) / (1 + extra))


def _edges(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give rising lower edges of the bins above the first one."""
    known = np.sort(values)[: int(np.count_nonzero(~np.isnan(values)))]
    bins = min(MOST_BINS, len(known) // _ROWS_OF_A_BIN)
    cuts = known[np.arange(1, bins) * len(known) // max(bins, 1)]
    heavy = cuts[1:][cuts[1:] == cuts[:-1]]
    return np.unique(np.concatenate([cuts, np.nextafter(heavy, np.float32(np.inf))]))


def bins_of(values: NDArray[np.float32], edges: NDArray[np.float32]) -> Ints:
    """Give each value the number of its range, missing ones that after the last."""
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
