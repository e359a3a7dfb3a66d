"""What each threshold would give, and how probabilities compare with the truth."""

from dataclasses import dataclass

import numpy as np

from shared.coin_metrics.rows import Floats, Ints
from shared.scoring.counts import Answers
from shared.scoring.ranking import last, reached


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What a threshold would give."""

    threshold: float
    precision: float
    recall: float | None
    alerts_per_day: float | None
    expected_value_pct: float | None = None
    """Mean return in % of the rows that reach it, where returns are known."""
    total_return_pct: float | None = None
    """Sum of those returns, in % of the stake of one trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionPoint:
    """A point of the precision-recall curve."""

    threshold: float
    recall: float
    precision: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePoint:
    """A point of the ROC curve."""

    threshold: float | None
    """None at the start, where nothing is predicted 1."""
    fpr: float
    tpr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Rows of similar probability: what was said, and what was true."""

    lower: float
    upper: float
    rows: int
    mean_probability: float
    observed_rate: float


def threshold_curve(
    scores: Floats, answers: Answers, *, days: float, points: int = 200, returns_pct: Floats | None = None,
    every_score: Floats | None = None,
) -> tuple[CurvePoint, ...]:  # fmt: skip
    """Give precision, recall and alerts per day at up to `points` falling thresholds, all of them scores that occur.

    Where there are more, they are spaced by the logarithm of the rows they let through: close together among the few
    highest, where alerts are chosen. `days` is the span of the rows; alerts per day are None when it is not above 0.
    `every_score` float64[m] are the scores of all rows that would alert, where more than the n with an answer would;
    alerts per day and returns are theirs. `returns_pct` float64[m] is what a trade at each brings in %, NaN where
    unknown.

    >>> scores, answers = np.array([0.1, 0.4, 0.8]), np.array([0, 0, 1])
    >>> curve = threshold_curve(scores, answers, days=1.5, returns_pct=np.array([np.nan, -5.0, 20.0]))
    >>> [(at.threshold, round(at.precision, 2), at.recall, at.expected_value_pct) for at in curve]
    [(0.8, 1.0, 1.0, 20.0), (0.4, 0.5, 1.0, 7.5), (0.1, 0.33, 1.0, 7.5)]
    >>> [at.alerts_per_day for at in threshold_curve(scores, answers, days=2, every_score=np.append(scores, 0.6))]
    [0.5, 1.5, 2.0]
    """
    values, said, hits = reached(scores, answers)
    alerting = scores if every_score is None else every_score
    returns = np.full(len(alerting), np.nan) if returns_pct is None else returns_pct
    known = ~np.isnan(returns)
    levels, at_level, trades_at = reached(alerting, known)
    _, _, return_at = reached(alerting, np.where(known, returns, 0.0))
    # Levels fall: as many as lie at or above a value are reached by it.
    level = np.searchsorted(-levels, -values, side="right")
    alerts, trades, total = (np.append(0.0, reached_by)[level] for reached_by in (at_level, trades_at, return_at))
    chosen = np.arange(len(values))
    if len(values) > points:
        chosen = np.unique(np.searchsorted(said, np.geomspace(said[0], said[-1], points)).clip(max=len(values) - 1))
    ones = last(hits)
    return tuple(
        CurvePoint(
            threshold=float(values[at]),
            precision=float(hits[at] / said[at]),
            recall=float(hits[at] / ones) if ones else None,
            alerts_per_day=float(alerts[at] / days) if days > 0 else None,
            expected_value_pct=float(total[at] / trades[at]) if trades[at] else None,
            total_return_pct=float(total[at]) if trades[at] else None,
        )
        for at in chosen
    )


def precision_recall_curve(scores: Floats, answers: Answers, *, points: int = 200) -> tuple[PrecisionPoint, ...]:
    """Give precision by recall at up to `points` falling thresholds, spaced evenly by recall; nothing without ones.

    Of thresholds with equal recall the highest is given, which has the best precision.

    >>> curve = precision_recall_curve(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    >>> [(at.threshold, at.recall, round(at.precision, 3)) for at in curve]
    [(0.8, 0.5, 1.0), (0.35, 1.0, 0.667)]
    """
    values, said, hits = reached(scores, answers)
    ones = last(hits)
    if not ones:
        return ()
    rising = np.flatnonzero(np.diff(hits, prepend=0) > 0)
    return tuple(
        PrecisionPoint(threshold=float(values[at]), recall=float(hits[at] / ones), precision=float(hits[at] / said[at]))
        for at in rising[_spread(hits[rising], points)]
    )


def roc_curve(scores: Floats, answers: Answers, *, points: int = 200) -> tuple[RatePoint, ...]:
    """Give the true by the false positive rate at up to `points` falling thresholds, from (0, 0) to (1, 1).

    Points, at least 3, are spaced evenly along both axes together; nothing with one class.

    >>> curve = roc_curve(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    >>> [(at.threshold, at.fpr, at.tpr) for at in curve]
    [(None, 0.0, 0.0), (0.8, 0.0, 0.5), (0.4, 0.5, 0.5), (0.35, 0.5, 1.0), (0.1, 1.0, 1.0)]
    """
    values, said, hits = reached(scores, answers)
    ones = last(hits)
    zeros = last(said) - ones
    if not ones or not zeros:
        return ()
    fpr, tpr = (said - hits) / zeros, hits / ones
    return (
        RatePoint(threshold=None, fpr=0.0, tpr=0.0),
        *(
            RatePoint(threshold=float(values[at]), fpr=float(fpr[at]), tpr=float(tpr[at]))
            for at in _spread(fpr + tpr, points - 1)
        ),
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


def _spread(rising: Floats, points: int) -> Ints:
    """Choose at most `points` places of a rising series, first and last included, evenly by its value."""
    if len(rising) <= points:
        return np.arange(len(rising))
    wanted = np.linspace(rising[0], rising[-1], points)
    return np.unique(np.searchsorted(rising, wanted).clip(max=len(rising) - 1))
