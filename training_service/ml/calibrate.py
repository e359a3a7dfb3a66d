"""From scores to probabilities, and the two thresholds, on rows later than those fitted and before the hold-out."""

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.contracts.artifact import Calibration, IsotonicCalibration, NoCalibration, SigmoidCalibration
from shared.errors import JobFailed
from shared.scoring import alerts_per_day_threshold, best_f1_threshold, top_share_threshold
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


def choose_thresholds(
    probabilities: Floats, answers: Answers, *, days: float, alerts_per_day: float | None
) -> tuple[float, float]:
    """Give the probability with the best F1, and the one from which on a row is an alert.

    Args:
        probabilities: float64[n] of the calibrating rows, as the model file gives them.
        answers: int8[n], at least one 1.
        days: span of the rows.
        alerts_per_day: how many alerts are wanted; None: 1 % of the rows.

    >>> choose_thresholds(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1], np.int8), days=2, alerts_per_day=0.5)
    (0.3, 0.4)

    """
    decision = best_f1_threshold(probabilities, answers)
    if alerts_per_day is None:
        alert = top_share_threshold(probabilities, DEFAULT_ALERT_SHARE)
    else:
        alert = alerts_per_day_threshold(probabilities, days=days, alerts_per_day=alerts_per_day)
    if decision is None or alert is None:
        raise JobFailed("the rows that calibrate hold no positive one: take a longer window or an easier target")
    return decision, alert


def _fit_isotonic(scores: Floats, answers: Answers) -> Calibration:
    """Fit a rising curve; each of its steps becomes one point at the mean score of its rows, joined by straight lines.

    Steps would give thousands of rows the same probability, which no threshold could part any more.

    Source:
        A. Oron and N. Flournoy, Centered Isotonic Regression, Statistics in Biopharmaceutical Research 9, 2017.

    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True).fit_transform(scores, answers.astype(np.float64))
    values, step = np.unique(fitted, return_inverse=True)
    centres = np.bincount(step, weights=scores) / np.bincount(step)
    if len(values) < 2:  # noqa: PLR2004 - a curve without a rise
        return NoCalibration()
    return IsotonicCalibration(x=tuple(centres.tolist()), y=tuple(values.tolist()))
