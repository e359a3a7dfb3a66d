"""From scores to probabilities, and the two thresholds, on rows later than those fitted and before the hold-out."""

from dataclasses import dataclass

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.contracts.artifact import Calibration, IsotonicCalibration, NoCalibration, SigmoidCalibration
from shared.contracts.model_request import ThresholdChoice
from shared.errors import JobFailed
from shared.features import Notice
from shared.scoring import alerts_per_day_threshold, best_f1_threshold, best_return_threshold, top_share_threshold
from training_service.ml.fit import Answers

ISOTONIC_POSITIVES = 1000
DEFAULT_ALERT_SHARE = 0.01
LEAST_TRADES = 20  # fewer that did well are luck
_CLEARLY_MORE = 1.5


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The probabilities from which on an answer is yes, and an alert."""

    decision: float
    alert: float
    by: ThresholdChoice
    """How the alert threshold was chosen in the end."""
    notices: tuple[Notice, ...] = ()


def choose_thresholds(
    probabilities: Floats, answers: Answers, *, days: float, alerts_per_day: float | None,
    by: ThresholdChoice | None = None, returns_pct: Floats | None = None, every_probability: Floats | None = None,
) -> Thresholds:  # fmt: skip
    """Give the probability with the best F1, and the one from which on a row is an alert.

    Args:
        probabilities: float64[n] of the calibrating rows, as the model file gives them.
        answers: int8[n], at least one 1.
        days: span of all rows.
        alerts_per_day: how many alerts are wanted, where `by` asks for a number of them.
        by: share: 1 % of the rows; alerts_per_day: so many; expected_value: from where on trading every row sums to the
            highest return, over at least 20 trades. None: alerts_per_day where that is given, else share.
        returns_pct: float64[m], what a trade at each row brings in %, NaN where unknown; None where nothing is traded.
        every_probability: float64[m] of all rows of that stretch of time, those without an answer too: live, each of
            them may alert, so they count for the alert threshold. None: there are no others.

    Returns:
        Both, with a notice when even the highest probability is shared by clearly more rows than are wanted, and one
        when no threshold earns anything: then it is that of 1 % of the rows.

    Raises:
        JobFailed: no row is positive, all have the same probability, or returns are asked for where nothing is traded.

    >>> probabilities, answers = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1], np.int8)
    >>> choose_thresholds(probabilities, answers, days=2, alerts_per_day=0.5)
    Thresholds(decision=0.3, alert=0.4, by='alerts_per_day', notices=())

    """
    decision = best_f1_threshold(probabilities, answers)
    if decision is None:
        raise JobFailed("the rows that calibrate hold no positive one: take a longer window or an easier target")
    if np.ptp(probabilities) == 0:
        raise JobFailed(
            f"the model gives every row the same probability ({decision:.6g}): nothing was learnt; "
            "choose other features, an easier target or hyper-parameters that let a tree grow"
        )
    everything = probabilities if every_probability is None else every_probability
    notices: list[Notice] = []
    choice = by or ("share" if alerts_per_day is None else "alerts_per_day")
    if choice == "expected_value":
        alert = _most_profitable(everything, returns_pct)
        if alert is not None:
            return Thresholds(decision=decision, alert=alert, by="expected_value")
        choice = "share"
        message = (
            f"no alert threshold that at least {LEAST_TRADES} of the {len(everything)} calibrating rows reach would "
            f"have earned anything after costs: that of the highest {DEFAULT_ALERT_SHARE:.0%} was taken"
        )
        notices.append(Notice(code="no_profitable_threshold", message=message))
    if choice == "alerts_per_day" and alerts_per_day is not None:
        wanted = days * alerts_per_day
        alert = alerts_per_day_threshold(everything, days=days, alerts_per_day=alerts_per_day)
    else:
        wanted = DEFAULT_ALERT_SHARE * len(everything)
        alert = top_share_threshold(everything, DEFAULT_ALERT_SHARE)
    assert alert is not None
    reached = int((everything >= alert).sum())
    if reached > _CLEARLY_MORE * max(wanted, 1):
        message = (
            f"the highest probability, {alert:.6g}, is shared by {reached} of {len(everything)} rows "
            f"({reached / len(everything):.1%}) where {wanted:.6g} alerts were wanted: there will be more"
        )
        notices.append(Notice(code="many_alerts", message=message))
    return Thresholds(decision=decision, alert=alert, by=choice, notices=tuple(notices))


def _most_profitable(probabilities: Floats, returns_pct: Floats | None) -> float | None:
    if returns_pct is None:
        raise JobFailed(
            "the alert threshold cannot be chosen by expected value: only a question about price_close or "
            "market_cap_close going up can be traded; take alert_threshold_by share or alerts_per_day"
        )
    return best_return_threshold(probabilities, returns_pct, least_trades=LEAST_TRADES)


def _fit_isotonic(scores: Floats, answers: Answers) -> Calibration:
    """Fit a rising curve; each of its steps becomes one point at the mean score of its rows, joined by straight lines.

    Steps would give thousands of rows the same probability, which no threshold could part any more. The last line goes
    on to the largest score, up to 1 at most: level from the centre of the top step on, half of its rows would share one
    probability, and those most often alerted. As the line runs through the centre, their mean stays what was observed.

    Source:
        A. Oron and N. Flournoy, Centered Isotonic Regression, Statistics in Biopharmaceutical Research 9, 2017.

    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True).fit_transform(scores, answers.astype(np.float64))
    values, step = np.unique(fitted, return_inverse=True)
    centres = np.bincount(step, weights=scores) / np.bincount(step)
    if len(values) < 2:  # noqa: PLR2004 - a curve without a rise
        return NoCalibration()
    largest = float(scores.max())
    if largest > centres[-1] and values[-1] < 1:
        rise = (values[-1] - values[-2]) / (centres[-1] - centres[-2])
        values = np.append(values, min(values[-1] + rise * (largest - centres[-1]), 1.0))
        centres = np.append(centres, largest)
    return IsotonicCalibration(x=tuple(centres.tolist()), y=tuple(values.tolist()))
