"""Does one feature alone know the answer?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Ints
from training_service.ml.fit import Answers, Features

ROWS_OF_A_CLASS = 10_000
# With fewer a feature of AUC 0.87 would reach 0.99 by luck more often than once in a million.
FEWEST_OF_A_CLASS = 100
# On real and simulated markets no feature exceeds 0.88 for any of eleven time targets.
SUSPICIOUS_AUC = 0.99
MOST_BINS = 64
_ROWS_OF_A_BIN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureAuc:
    """How well one feature alone tells the ones from the zeros."""

    name: str
    auc: float
    """ROC AUC on the half of the rows that the encoding did not see; 0.5 knows nothing, 1 everything."""
    misjudged: float | None
    """Least share of rows that "inside one range of values" or its opposite judges wrongly; None below AUC 0.99."""


def draw_rows(answers: Answers, rows: Ints, *, random_state: int) -> tuple[Ints, Ints]:
    """Give two halves of some `rows` (positions in `answers`), together at most 10,000 ones and 10,000 zeros.

    Equally many of both where there are enough: ROC AUC does not depend on their ratio, and rare ones stay in.
    """
    random = np.random.default_rng(random_state)
    halves: tuple[list[Ints], list[Ints]] = ([], [])
    for answer in (0, 1):
        rows = np.flatnonzero(answers == answer)
        chosen = (
            random.permutation(rows) if len(rows) <= ROWS_OF_A_CLASS else random.choice(rows, ROWS_OF_A_CLASS, False)
        )
        halves[0].append(chosen[::2])
        halves[1].append(chosen[1::2])
    return np.concatenate(halves[0]), np.concatenate(halves[1])


def feature_auc(values: NDArray[np.float32], answers: Answers, tested: NDArray[np.float32], truth: Answers) -> float:
    """Give the ROC AUC of one feature, encoded by the share of ones of its quantile bin.

    Bins are cut from `values`, with one of their own for missing values and for each value that fills several bins;
    a bin holds ten rows or more, so that none of them is a single row. `tested` rows get the share of their bin.

    Args:
        values: float32[n] of the rows that give the shares; NaN: missing.
        answers: [n], both 0 and 1 present.
        tested: float32[m] of the rows it is measured on.
        truth: [m], both 0 and 1 present.

    >>> values = np.arange(400, dtype=np.float32)
    >>> feature_auc(values, values > 200, values, values > 200) > 0.999
    True
    >>> hidden = np.where(np.arange(400) % 4 == 0, np.float32(np.nan), values)
    >>> feature_auc(hidden, np.isnan(hidden), hidden, np.isnan(hidden))
    1.0

    """
    edges = _edges(values)
    place, seen = _bins(values, edges), _bins(tested, edges)
    bins = len(edges) + 2
    ones, rows = np.bincount(place, weights=answers, minlength=bins), np.bincount(place, minlength=bins)
    share = (ones + np.mean(answers)) / (rows + 1)
    _, level = np.unique(share, return_inverse=True)
    hits = np.bincount(level, weights=np.bincount(seen, weights=truth, minlength=bins))
    misses = np.bincount(level, weights=np.bincount(seen, minlength=bins)) - hits
    below = np.cumsum(misses) - misses / 2
    return float(np.sum(hits * below) / (hits.sum() * misses.sum()))


def misjudged_share(values: NDArray[np.float32], answers: Answers) -> float:
    """Give the least share of wrong answers of any rule "1 inside a range of values, else 0", or its opposite.

    A feature that gives the target away makes none; missing values count as the highest one.

    >>> misjudged_share(np.array([1, 2, 3, 4, 5], np.float32), np.array([0, 1, 1, 0, 1]))
    0.2
    """
    order = np.argsort(values, kind="stable")
    ordered, signs = values[order], np.where(answers[order] == 1, 1.0, -1.0)
    last = np.append((ordered[1:] != ordered[:-1]) & ~np.isnan(ordered[:-1]), True)
    fewest = len(values)
    for side in (signs, -signs):
        gained = np.append(0.0, np.cumsum(side)[last])
        best = float(np.max(gained - np.minimum.accumulate(gained)))
        fewest = min(fewest, int(np.sum(side > 0) - best))
    return fewest / len(values)


def feature_aucs(
    features: Features, answers: Answers, rows: Ints, names: tuple[str, ...], *, random_state: int
) -> tuple[FeatureAuc, ...]:
    """Measure each feature alone on some rows, best first; nothing where a half would hold under 100 ones or zeros."""
    learnt, tested = draw_rows(answers, rows, random_state=random_state)
    ones = int(answers[tested].sum())
    if min(ones, len(tested) - ones) < FEWEST_OF_A_CLASS:
        return ()
    told, truth = answers[learnt], answers[tested]
    left, right = np.ascontiguousarray(features[learnt].T), np.ascontiguousarray(features[tested].T)
    found = []
    for name, values, others in zip(names, left, right, strict=True):
        auc = feature_auc(values, told, others, truth)
        wrong = misjudged_share(others, truth) if auc >= SUSPICIOUS_AUC else None
        found.append(FeatureAuc(name=name, auc=auc, misjudged=wrong))
    return tuple(sorted(found, key=lambda one: -one.auc))


def _edges(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give rising lower edges of the bins above the first one."""
    known = np.sort(values)[: int(np.count_nonzero(~np.isnan(values)))]
    bins = min(MOST_BINS, len(known) // _ROWS_OF_A_BIN)
    cuts = known[np.arange(1, bins) * len(known) // max(bins, 1)]
    heavy = cuts[1:][cuts[1:] == cuts[:-1]]
    return np.unique(np.concatenate([cuts, np.nextafter(heavy, np.float32(np.inf))]))


def _bins(values: NDArray[np.float32], edges: NDArray[np.float32]) -> Ints:
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
