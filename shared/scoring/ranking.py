"""How well scores tell the ones from the zeros, over all thresholds."""

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.scoring.counts import Answers


def roc_auc(scores: Floats, answers: Answers) -> float | None:
    """Give the chance that a one scores above a zero, ties counting half; None with one class.

    >>> roc_auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    0.875
    """
    _, said, hits = reached(scores, answers)
    ones = last(hits)
    zeros = last(said) - ones
    if not ones or not zeros:
        return None
    more_hits, more_misses = np.diff(hits, prepend=0), np.diff(said - hits, prepend=0)
    return float(np.sum(more_misses * (hits - more_hits / 2)) / (ones * zeros))


def average_precision(scores: Floats, answers: Answers, weights: Floats | None = None) -> float | None:
    """Give Σ (R_k - R_{k-1})·P_k over falling thresholds, without interpolation, as scikit-learn; None without ones.

    `weights` float64[n] above 0 says how many rows each one stands for, by default itself alone.

    >>> round(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])), 4)
    0.8333
    >>> scores, answers = np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])
    >>> round(average_precision(scores, answers, weights=np.array([3.0, 3.0, 1.0, 1.0])), 4)
    0.7
    """
    _, said, hits = reached(scores, answers, weights)
    if not last(hits):
        return None
    return float(np.sum(np.diff(hits, prepend=0) * hits / said) / last(hits))


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


def reached(scores: Floats, answers: Answers, weights: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """Give each distinct score, highest first, with the number (weight) of rows and of ones that reach it.

    >>> [part.tolist() for part in reached(np.array([0.1, 0.4, 0.4]), np.array([1, 0, 1]))]
    [[0.4, 0.1], [2.0, 3.0], [1.0, 2.0]]
    """
    if not len(scores):
        return np.empty(0), np.empty(0), np.empty(0)
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    if weights is None:
        return ordered[ends], (ends + 1).astype(np.float64), np.cumsum(answers[order], dtype=np.float64)[ends]
    heavy = weights[order]
    return ordered[ends], np.cumsum(heavy)[ends], np.cumsum(heavy * answers[order])[ends]


def last(counts: Floats) -> float:
    """Give the last of growing counts, 0 without any."""
    return float(counts[-1]) if len(counts) else 0.0
