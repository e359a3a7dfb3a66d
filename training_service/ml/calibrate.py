"""From scores to probabilities, and the two thresholds; always on rows later than those fitted, earlier than the hold-out."""

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.contracts.artifact import Calibration, IsotonicCalibration, NoCalibration, SigmoidCalibration
from training_service.ml.fit import Answers

ISOTONIC_POSITIVES = 1000
DEFAULT_ALERT_SHARE = 0.01


def fit_calibration(scores: Floats, answers: Answers) -> Calibration:
    """Fit the curve from scores to probabilities: a sigmoid below 1,000 positives, isotonic from there on.

    Args:
        scores: float64[n] in 0..1, as the model file gives them.
        answers: int8[n], both 0 and 1 present.

    Returns:
        The curve. No calibration when the scores do not rise with the answers, as it would turn them round.

    Source:
        J. Platt, Probabilistic Outputs for Support Vector Machines, 1999, with his smoothed targets.

    >>> scores = np.array([0.1, 0.2, 0.4, 0.3, 0.6, 0.8])
    >>> curve = fit_calibration(scores, np.array([0, 0, 0, 1, 1, 1], np.int8))
    >>> curve.method, curve.slope > 0
    ('sigmoid', True)

    """
    positives = int(answers.sum())
    if positives >= ISOTONIC_POSITIVES:
        return _fit_isotonic(scores, answers)
    from sklearn.linear_model import LogisticRegression

    inside = np.clip(scores, 1e-6, 1 - 1e-6)
    log_odds = np.log(inside / (1 - inside))[:, None]
    high, low = (positives + 1) / (positives + 2), 1 / (len(answers) - positives + 2)
    soft = np.where(answers == 1, high, low)
    both = np.repeat([1, 0], len(answers))
    curve = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000)
    curve.fit(np.concatenate([log_odds, log_odds]), both, sample_weight=np.concatenate([soft, 1 - soft]))
    slope, intercept = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    return SigmoidCalibration(slope=slope, intercept=intercept) if slope > 0 else NoCalibration()


def best_f1_threshold(probabilities: Floats, answers: Answers) -> float:
    """Give the probability from which on "yes" has the best F1; of equal ones the highest.

    >>> best_f1_threshold(np.array([0.1, 0.3, 0.3, 0.6]), np.array([0, 0, 1, 1], np.int8))
    0.3

    """
    values, said, hits = _reached(probabilities, answers)
    f1 = 2 * hits / (said + answers.sum())
    return float(values[int(np.argmax(f1))])


def alert_threshold_of(probabilities: Floats, answers: Answers, *, days: float, alerts_per_day: float | None) -> float:
    """Give the lowest probability that at most 1 % of the rows reach, or that gives at most `alerts_per_day`.

    When already the highest probability is reached by more rows, it is that one: an alert must be possible.

    >>> alert_threshold_of(np.array([0.1, 0.2, 0.3, 0.4]), np.zeros(4, np.int8), days=2, alerts_per_day=1)
    0.3

    """
    values, said, _ = _reached(probabilities, answers)
    most = len(probabilities) * DEFAULT_ALERT_SHARE if alerts_per_day is None else alerts_per_day * days
    allowed = np.flatnonzero(said <= most)
    return float(values[allowed[-1]] if len(allowed) else values[0])


def _reached(probabilities: Floats, answers: Answers) -> tuple[Floats, Floats, Floats]:
    """Give each distinct probability, highest first, with the rows and the ones among the rows that reach it."""
    order = np.argsort(-probabilities, kind="stable")
    ordered = probabilities[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    hits = np.cumsum(answers[order], dtype=np.float64)[last]
    return ordered[last], (last + 1).astype(np.float64), hits


def _fit_isotonic(scores: Floats, answers: Answers) -> IsotonicCalibration:
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True, out_of_bounds="clip")
    curve.fit(scores, answers.astype(np.float64))
    return IsotonicCalibration(x=tuple(curve.X_thresholds_.tolist()), y=tuple(curve.y_thresholds_.tolist()))
