"""What a model is worth on rows it never saw: arrays in, figures out, for a hold-out as for any other window."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from shared.coin_metrics.rows import Bools, Floats
from shared.labels import Target, TimeTarget
from shared.scoring import (
    CalibrationBin,
    Confusion,
    CurvePoint,
    PrecisionPoint,
    RatePoint,
    average_precision,
    brier,
    calibration_bins,
    confusion,
    log_loss,
    precision_recall_curve,
    roc_auc,
    roc_curve,
    threshold_curve,
)
from training_service.ml.model import days_of
from training_service.ml.periods import cut_periods
from training_service.ml.returns import Costs, Money, Outcomes, earn, legacy_profit_pct, returns_of
from training_service.ml.scored import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodFigures:
    """How a model did in one stretch of the clock."""

    start: datetime
    minutes: int
    """Length of the stretch."""
    rows: int
    """Whose answer is known; all but alerts and expected value are theirs."""
    base_rate: float | None
    average_precision: float | None
    roc_auc: float | None
    alerts: int
    precision: float | None
    """Share of the alerts that were right, of those whose answer is known."""
    expected_value_pct: float | None
    """Mean return of the alerts after costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How a model did on rows it never saw; all from the exported model.

    Alerts are counted as they would have come, and traded, on rows without an answer as well; what compares
    predictions with the truth rests on the rows whose answer is known.
    """

    decision: Confusion
    """At the decision threshold."""
    half: Confusion
    """At 0.5."""
    alert: Confusion
    """At the alert threshold."""
    alerts: int
    """All rows that reach the alert threshold."""
    base_rate: float
    roc_auc: float | None
    average_precision: float | None
    brier: float | None
    brier_uncalibrated: float | None
    """Of the scores as the model file gives them."""
    log_loss: float | None
    curve: tuple[CurvePoint, ...]
    precision_recall: tuple[PrecisionPoint, ...]
    roc: tuple[RatePoint, ...]
    bins: tuple[CalibrationBin, ...]
    bins_uncalibrated: tuple[CalibrationBin, ...]
    periods: tuple[PeriodFigures, ...]
    simulated_profit_pct: float
    expected_value_pct: float | None
    """Mean return after costs of all alerts, at the last price where the coin was not seen again."""
    money: Money | None
    """None where no rising price is asked about."""
    days: float

    @property
    def alerts_per_day(self) -> float | None:
        """Give how many alerts a day would have brought; None where the rows span no time."""
        return self.alerts / self.days if self.days > 0 else None

    def to_metrics(self) -> dict[str, Any]:
        """Give the figures as they are stored beside the columns of a model."""
        return {
            "base_rate": self.base_rate,
            "average_precision": self.average_precision,
            "brier": self.brier,
            "brier_uncalibrated": self.brier_uncalibrated,
            "log_loss": self.log_loss,
            "holdout_days": self.days,
            "at_decision_threshold": counts_and_shares(self.decision),
            "at_half": counts_and_shares(self.half),
            "at_alert_threshold": counts_and_shares(self.alert),
            "alerts": self.alerts,
            "alerts_per_day": self.alerts_per_day,
            "money": None if self.money is None else asdict(self.money),
            "threshold_curve": [asdict(point) for point in self.curve],
            "calibration_bins": [asdict(part) for part in self.bins],
        }


def measure(
    scored: Scored, *, decision_threshold: float, alert_threshold: float, target: Target, costs: Costs,
    random_state: int,
) -> Figures:  # fmt: skip
    """Measure what a model said of rows, at least one answered; `random_state` seeds the interval of the returns."""
    told = scored.answered()
    probabilities, answers = told.probabilities, told.answers
    decision = confusion(probabilities, answers, decision_threshold)
    alerts = scored.probabilities >= alert_threshold
    days = days_of(scored.timestamp)
    returns = returns_of(scored.change_pct, scored.reserves_sol, target=target, costs=costs)
    money = None
    if returns is not None and isinstance(target, TimeTarget):
        outcomes = Outcomes(
            returns_pct=returns, observed=scored.observed, reserves_sol=scored.reserves_sol, timestamp=scored.timestamp,
            coin=scored.coin,
        )  # fmt: skip
        money = earn(alerts, outcomes, horizon_us=target.horizon, days=days, costs=costs, random_state=random_state)
    return Figures(
        decision=decision,
        half=confusion(probabilities, answers, 0.5),
        alert=confusion(probabilities, answers, alert_threshold),
        alerts=int(np.count_nonzero(alerts)),
        base_rate=float(np.mean(answers)),
        roc_auc=roc_auc(probabilities, answers),
        average_precision=average_precision(probabilities, answers),
        brier=brier(probabilities, answers),
        brier_uncalibrated=brier(told.scores, answers),
        log_loss=log_loss(probabilities, answers),
        curve=curve_of(scored, returns_pct=returns),
        precision_recall=precision_recall_curve(probabilities, answers),
        roc=roc_curve(probabilities, answers),
        bins=calibration_bins(probabilities, answers),
        bins_uncalibrated=calibration_bins(told.scores, answers),
        periods=_by_period(scored, alerts=alerts, returns_pct=returns),
        simulated_profit_pct=legacy_profit_pct(decision.tp, decision.fp, len(answers)),
        expected_value_pct=None if money is None else money.every_alert.mean_pct,
        money=money,
        days=days,
    )


def curve_of(scored: Scored, *, returns_pct: Floats | None, points: int = 200) -> tuple[CurvePoint, ...]:
    """Give what each threshold would bring: precision and recall where answers are known, alerts of all rows."""
    told = scored.answered()
    return threshold_curve(
        told.probabilities,
        told.answers,
        days=days_of(scored.timestamp),
        points=points,
        returns_pct=returns_pct,
        every_score=scored.probabilities,
    )


def counts_and_shares(counts: Confusion) -> dict[str, float | int | None]:
    """Give the counts with the shares that follow from them."""
    return {
        **asdict(counts),
        "accuracy": counts.accuracy,
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
    }


def _by_period(scored: Scored, *, alerts: Bools, returns_pct: Floats | None) -> tuple[PeriodFigures, ...]:
    periods = cut_periods(scored.timestamp)
    returns = np.full(len(scored), np.nan) if returns_pct is None else returns_pct
    found = []
    for number, rows in enumerate(periods.rows()):
        told = rows[scored.is_answered[rows]]
        probabilities, answers = scored.probabilities[told], scored.answers[told]
        right = answers[alerts[told]]
        brought = returns[rows[alerts[rows]]]
        known = brought[~np.isnan(brought)]
        found.append(
            PeriodFigures(
                start=periods.start(number),
                minutes=periods.minutes,
                rows=len(told),
                base_rate=float(answers.mean()) if len(told) else None,
                average_precision=average_precision(probabilities, answers),
                roc_auc=roc_auc(probabilities, answers),
                alerts=int(np.count_nonzero(alerts[rows])),
                precision=float(right.mean()) if len(right) else None,
                expected_value_pct=float(known.mean()) if len(known) else None,
            )
        )
    return tuple(found)
