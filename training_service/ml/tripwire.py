"""Does one feature alone know the answer?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Ints
from training_service.ml.fit import Answers, Features
from training_service.ml.purity import Bins, Naming, bins_of, count_named, cut_bins, pure_bins

ROWS_OF_A_CLASS = 10_000
# With fewer a feature of AUC 0.87 would reach 0.99 by luck more often than once in a million.
FEWEST_OF_A_CLASS = 100
# On real and simulated markets no feature exceeds 0.90 where a rising price is asked about.
SUSPICIOUS_AUC = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureAuc:
    """How well one feature alone tells the ones from the zeros."""

    name: str
    auc: float
    """ROC AUC on the half of the rows that the encoding did not see; 0.5 knows nothing, 1 everything."""
    misjudged: float | None
    """Least share of rows that "inside one range of values" or its opposite judges wrongly; None below AUC 0.99."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What single features know of the answer."""

    aucs: tuple[FeatureAuc, ...] | None
    """Best first; None where a half of the rows drawn holds fewer than 100 ones or zeros."""
    naming: tuple[Naming, ...]
    """Of features that look as if some of their values came with ones only."""
    exact: tuple[str, ...]
    """Where there are no AUC: features that err on no row."""


def draw_rows(answers: Answers, rows: Ints, *, random_state: int) -> tuple[Ints, Ints]:
    """Give two halves of some `rows` (positions in `answers`), together at most 10,000 ones and 10,000 zeros.

    Equally many of both where there are enough: ROC AUC does not depend on their ratio, and rare ones stay in.
    """
    random = np.random.default_rng(random_state)
    halves: tuple[list[Ints], list[Ints]] = ([], [])
    for answer in (0, 1):
        members = rows[answers[rows] == answer]
        size = min(len(members), ROWS_OF_A_CLASS)
        chosen = random.permutation(members) if size == len(members) else random.choice(members, size, replace=False)
        halves[0].append(chosen[::2])
        halves[1].append(chosen[1::2])
    return np.concatenate(halves[0]), np.concatenate(halves[1])


def feature_auc(bins: Bins) -> float:
    """Give the ROC AUC of one feature whose values are replaced by the share of ones of their bin.

    It is that of the rows counted in the bins, which hold both answers.

    >>> values = np.arange(400, dtype=np.float32)
    >>> feature_auc(cut_bins(values, values > 200, values, values > 200)) > 0.999
    True
    >>> hidden = np.where(np.arange(400) % 4 == 0, np.float32(np.nan), values)
    >>> feature_auc(cut_bins(hidden, np.isnan(hidden), hidden, np.isnan(hidden)))
    1.0

    """
    _, level = np.unique(bins.share, return_inverse=True)
    hits, misses = np.bincount(level, weights=bins.ones), np.bincount(level, weights=bins.zeros)
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


def try_features(
    features: Features, answers: Answers, rows: Ints, coin: Ints, names: tuple[str, ...], *, random_state: int
) -> Tried:
    """Measure each feature alone on some rows, of which an even draw decides what the others are told of.

    Args:
        features: float32[n, len(names)]; NaN: missing.
        answers: int8[n], 0 or 1.
        rows: positions of the rows to try, both answers present.
        coin: int64[n], any code of each row's coin.
        names: of the columns.
        random_state: seed of the draw.

    """
    learnt, tested = draw_rows(answers, rows, random_state=random_state)
    told, truth = answers[learnt], answers[tested]
    left, right = np.ascontiguousarray(features[learnt].T), np.ascontiguousarray(features[tested].T)
    ones = int(truth.sum())
    if min(ones, len(truth) - ones) < FEWEST_OF_A_CLASS:
        both, truths = np.concatenate([left, right], axis=1), np.concatenate([told, truth])
        exact = (name for name, values in zip(names, both, strict=True) if misjudged_share(values, truths) == 0)
        return Tried(aucs=None, naming=(), exact=tuple(exact))
    # A zero that was drawn stands for all the others.
    weight = (np.count_nonzero(answers[rows] == 0) / (len(truth) - ones)) / (np.count_nonzero(answers[rows]) / ones)
    aucs, naming = [], []
    for at, name in enumerate(names):
        bins = cut_bins(left[at], told, right[at], truth)
        auc = feature_auc(bins)
        wrong = misjudged_share(right[at], truth) if auc >= SUSPICIOUS_AUC else None
        aucs.append(FeatureAuc(name=name, auc=auc, misjudged=wrong))
        if pure := pure_bins(bins, weight=weight):
            rest = np.setdiff1d(rows, learnt, assume_unique=True)
            inside = np.isin(bins_of(features[rest, at], bins.edges), bins.order[:pure])
            naming.append(count_named(name, inside, answers[rest], coin[rest]))
    return Tried(aucs=tuple(sorted(aucs, key=lambda one: -one.auc)), naming=tuple(naming), exact=())
