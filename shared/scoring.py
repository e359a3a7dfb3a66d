"""Scores of binary predictions: how well numbers between 0 and 1 tell the ones from the zeros.

Everywhere: `scores` float64[n] are scores or probabilities in 0..1 without NaN, `answers` [n] are 0 or 1 of any
number type or bool, and a row is predicted 1 when its score is at or above the threshold. What has no meaning for the
rows given (one class only, no rows) is None, never NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Floats, Ints

Answers = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Counts of right and wrong predictions, and the shares that follow from them.

    >>> counts = Confusion(tp=3, tn=90, fp=1, fn=6)
    >>> counts.precision, counts.recall and round(counts.recall, 3), counts.accuracy
    (0.75, 0.333, 0.93)
    """

    tp: int
    tn: int
    fp: int
    fn: int

    @property
    def rows(self) -> int:
        """Give the number of rows."""
        return self.tp + self.tn + self.fp + self.fn

    @property
    def accuracy(self) -> float | None:
        """Give the share of right predictions."""
        return _share(self.tp + self.tn, self.rows)

    @property
    def precision(self) -> float | None:
        """Give the share of ones among the rows predicted 1; None when none is."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Give the share of the ones that were predicted; None without ones."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """Give the harmonic mean of precision and recall, 2·tp / (2·tp + fp + fn)."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def fpr(self) -> float | None:
        """Give the share of the zeros that were predicted 1; None without zeros."""
        return _share(self.fp, self.fp + self.tn)

    @property
    def fnr(self) -> float | None:
        """Give the share of the ones that were predicted 0; None without ones."""
        return _share(self.fn, self.fn + self.tp)

    @property
    def mcc(self) -> float | None:
        """Give the correlation of prediction and answer (B. Matthews, 1975), 0 when all are predicted alike."""
        ones, zeros = self.tp + self.fn, self.tn + self.fp
        if not ones or not zeros:
            return None
        spread = (self.tp + self.fp) * (self.tn + self.fn) * ones * zeros
        return (self.tp * self.tn - self.fp * self.fn) / float(spread) ** 0.5 if spread else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What a threshold would give."""

    threshold: float
    precision: float
    recall: float | None
    alerts_per_day: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Rows of similar probability: what was said, and what was true."""

    lower: float
    upper: float
    rows: int
    mean_probability: float
    observed_rate: float


def confusion(scores: Floats, answers: Answers, threshold: float) -> Confusion:
    """Count the predictions at a threshold.

    >>> confusion(np.array([0.2, 0.5, 0.9]), np.array([0, 0, 1]), 0.5)
    Confusion(tp=1, tn=1, fp=1, fn=0)
    """
    said, true = scores >= threshold, answers.astype(np.bool_)
    tn, fn, fp, tp = np.bincount(2 * said + true, minlength=4).tolist()
    return Confusion(tp=tp, tn=tn, fp=fp, fn=fn)


def roc_auc(scores: Floats, answers: Answers) -> float | None:
    """Give the chance that a one scores above a zero, ties counting half; None with one class.

    >>> roc_auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    0.875
    """
    _, said, hits = _reached(scores, answers)
    ones = _last(hits)
    zeros = _last(said) - ones
    if not ones or not zeros:
        return None
    more_hits, more_misses = np.diff(hits, prepend=0), np.diff(said - hits, prepend=0)
    return float(np.sum(more_misses * (hits - more_hits / 2)) / (ones * zeros))


def average_precision(scores: Floats, answers: Answers) -> float | None:
    """Give Σ (R_k - R_{k-1})·P_k over falling thresholds, without interpolation, as scikit-learn; None without ones.

    >>> round(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])), 4)
    0.8333
    """
    _, said, hits = _reached(scores, answers)
    if not _last(hits):
        return None
    return float(np.sum(np.diff(hits, prepend=0) * hits / said) / _last(hits))


def brier(probabilities: Floats, answers: Answers) -> float | None:
    """Give the mean squared distance of probability and answer (G. Brier, 1950); None without rows.

    >>> brier(np.array([0.5, 1.0]), np.array([0, 1]))
    0.125
    """
    return float(np.mean((probabilities - answers) ** 2)) if len(answers) else None


def log_loss(probabilities: Floats, answers: Answers) -> float | None:
    """Give the mean of -ln of the probability given to the true answer; None without rows.

    Probabilities are kept 2.2e-16 away from 0 and 1, as scikit-learn does, so that one sure error is not infinite.

    >>> round(log_loss(np.array([0.5, 0.9]), np.array([0, 1])), 4)
    0.3993
    """
    if not len(answers):
        return None
    smallest = float(np.finfo(np.float64).eps)
    inside = np.clip(probabilities, smallest, 1 - smallest)
    return float(-np.mean(np.where(answers.astype(np.bool_), np.log(inside), np.log1p(-inside))))


def threshold_curve(scores: Floats, answers: Answers, *, days: float, points: int = 200) -> tuple[CurvePoint, ...]:
    """Give precision, recall and alerts per day at up to `points` falling thresholds, all of them scores that occur.

    Where there are more, they are spaced by the logarithm of the rows they let through: close together among the few
    highest, where alerts are chosen. `days` is the span of the rows; alerts per day are None when it is not above 0.

    >>> curve = threshold_curve(np.array([0.1, 0.4, 0.8]), np.array([0, 0, 1]), days=1.5)
    >>> [(at.threshold, round(at.precision, 2), at.recall) for at in curve]
    [(0.8, 1.0, 1.0), (0.4, 0.5, 1.0), (0.1, 0.33, 1.0)]
    """
    values, said, hits = _reached(scores, answers)
    chosen = np.arange(len(values))
    if len(values) > points:
        chosen = np.unique(np.searchsorted(said, np.geomspace(said[0], said[-1], points)).clip(max=len(values) - 1))
    ones = _last(hits)
    return tuple(
        CurvePoint(
            threshold=float(values[at]),
            precision=float(hits[at] / said[at]),
            recall=float(hits[at] / ones) if ones else None,
            alerts_per_day=float(said[at] / days) if days > 0 else None,
        )
        for at in chosen
    )


def calibration_bins(probabilities: Floats, answers: Answers, *, bins: int = 10) -> tuple[CalibrationBin, ...]:
    """Compare what was said with what was true in rising bins of about equally many rows; equal ones share a bin.

    >>> bins = calibration_bins(np.array([0.1, 0.1, 0.3, 0.5]), np.array([0, 0, 0, 1]), bins=2)
    >>> [(part.rows, part.mean_probability, part.observed_rate) for part in bins]
    [(2, 0.1, 0.0), (2, 0.4, 0.5)]
    """
    if not len(probabilities):
        return ()
    order = np.argsort(probabilities, kind="stable")
    ordered, true = probabilities[order], answers[order].astype(np.float64)
    # A bin begins at the first row of its first probability, wherever the even split falls among equal ones.
    starts = np.unique(np.searchsorted(ordered, ordered[np.arange(bins) * len(ordered) // bins]))
    ends = np.append(starts[1:], len(ordered))
    return tuple(
        CalibrationBin(
            lower=float(ordered[start]),
            upper=float(ordered[end - 1]),
            rows=int(end - start),
            mean_probability=float(ordered[start:end].mean()),
            observed_rate=float(true[start:end].mean()),
        )
        for start, end in zip(starts, ends, strict=True)
    )


def best_f1_threshold(scores: Floats, answers: Answers) -> float | None:
    """Give the score from which on predicting 1 has the best F1, of equal ones the highest; None without ones.

    >>> best_f1_threshold(np.array([0.1, 0.3, 0.3, 0.6]), np.array([0, 0, 1, 1]))
    0.3
    """
    values, said, hits = _reached(scores, answers)
    if not _last(hits):
        return None
    return float(values[int(np.argmax(2 * hits / (said + hits[-1])))])


def top_share_threshold(scores: Floats, share: float) -> float | None:
    """Give the lowest score that at most this share of the rows reaches, the highest where even that is too many.

    >>> top_share_threshold(np.array([0.1, 0.2, 0.3, 0.4]), 0.5), top_share_threshold(np.array([0.1, 0.2]), 0.01)
    (0.3, 0.2)
    """
    return _threshold_for(scores, share * len(scores))


def alerts_per_day_threshold(scores: Floats, *, days: float, alerts_per_day: float) -> float | None:
    """Give the lowest score that gives at most so many alerts a day over the days the rows span, else the highest.

    >>> alerts_per_day_threshold(np.array([0.1, 0.2, 0.3, 0.4]), days=2, alerts_per_day=1)
    0.3
    """
    return _threshold_for(scores, days * alerts_per_day)


def histogram_edges(values: NDArray[np.floating[Any]], *, bins: int = 10) -> Floats:
    """Give rising edges float64[≤ bins + 1] that part the known values into about equally many; NaN are left out.

    One value alone gives two equal edges, no known value none.

    >>> histogram_edges(np.array([1.0, 2.0, 2.0, 2.0, 9.0, np.nan]), bins=2).tolist()
    [1.0, 2.0, 9.0]
    """
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return np.empty(0)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1), method="inverted_cdf"))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def histogram_counts(values: NDArray[np.floating[Any]], edges: Sequence[float] | Floats) -> tuple[Ints, int]:
    """Count the values between the edges, int64[edges - 1], and the missing ones.

    A value on an edge counts above it, the last edge excepted; values beyond the outer edges count in the outer bins.

    >>> counts, missing = histogram_counts(np.array([-5.0, 1.0, 2.0, 9.0, np.nan]), [1.0, 2.0, 9.0])
    >>> counts.tolist(), missing
    ([2, 2], 1)
    """
    known = values[~np.isnan(values)]
    missing = len(values) - len(known)
    if not len(edges):
        return np.zeros(0, dtype=np.int64), missing
    place = np.searchsorted(np.asarray(edges[1:-1]), known, side="right")
    return np.bincount(place, minlength=len(edges) - 1).astype(np.int64), missing


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _last(counts: Floats) -> float:
    return float(counts[-1]) if len(counts) else 0.0


def _reached(scores: Floats, answers: Answers) -> tuple[Floats, Floats, Floats]:
    """Give each distinct score, highest first, with the number of rows and of ones that reach it."""
    if not len(scores):
        return np.empty(0), np.empty(0), np.empty(0)
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    hits = np.cumsum(answers[order], dtype=np.float64)[last]
    return ordered[last], (last + 1).astype(np.float64), hits


def _threshold_for(scores: Floats, most: float) -> float | None:
    values, said, _ = _reached(scores, np.zeros(len(scores)))
    if not len(values):
        return None
    return float(values[max(int(np.searchsorted(said, most, side="right")) - 1, 0)])
