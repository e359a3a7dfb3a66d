"""What a model is worth on rows it never saw: arrays in, figures out, for a hold-out as for any other window."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from shared.artifact import Scorer
from shared.coin_metrics.rows import Floats, Ints
from shared.labels import Target, TimeTarget
from shared.scoring import (
    Answers,
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
from training_service.ml.dataset import Dataset
from training_service.ml.model import days_of
from training_service.ml.periods import cut_periods
from training_service.ml.returns import Costs, Money, earn, legacy_profit_pct, returns_of
from training_service.ml.split import Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Rows with what a model said and what was true; arrays have one entry a row."""

    scores: Floats
    """As the model file gives them, before calibration."""
    probabilities: Floats
    answers: Answers
    """0 or 1."""
    timestamp: Ints
    """Microseconds since 1970."""
    coin: Ints
    change_pct: Floats
    """Realised change at the horizon in %; NaN where unknown."""
    reserves_sol: Floats
    """SOL side of the bonding curve at the row; NaN where missing."""

    def __len__(self) -> int:
        return len(self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodFigures:
    """How a model did in one stretch of the clock."""

    start: datetime
    minutes: int
    """Length of the stretch."""
    rows: int
    base_rate: float
    average_precision: float | None
    roc_auc: float | None
    alerts: int
    precision: float | None
    """Share of the alerts that were right."""
    expected_value_pct: float | None
    """Mean return of the alerts after costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How a model did on rows it never saw; all from the exported model."""

    decision: Confusion
    """At the decision threshold."""
    half: Confusion
    """At 0.5."""
    alert: Confusion
    """At the alert threshold."""
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
    """Mean return of all alerts after costs."""
    money: Money | None
    """None where no rising price is asked about."""
    days: float

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
            "alerts_per_day": (self.alert.tp + self.alert.fp) / self.days if self.days > 0 else None,
            "money": None if self.money is None else asdict(self.money),
            "threshold_curve": [asdict(point) for point in self.curve],
            "calibration_bins": [asdict(part) for part in self.bins],
        }


def score_rows(data: Dataset, rows: Index, scorer: Scorer) -> Scored:
    """Ask the exported model about some rows of a dataset."""
    scores = scorer.scores(data.features[rows])
    return Scored(
        scores=scores,
        probabilities=scorer.calibrated(scores),
        answers=data.answers[rows],
        timestamp=data.timestamp[rows],
        coin=data.coin[rows],
        change_pct=data.change_pct[rows],
        reserves_sol=data.reserves_sol[rows],
    )


def measure(
    scored: Scored, *, decision_threshold: float, alert_threshold: float, target: Target, costs: Costs,
    random_state: int,
) -> Figures:  # fmt: skip
    """Measure what a model said of rows, at least one; `random_state` seeds the interval of the returns."""
    probabilities, answers = scored.probabilities, scored.answers
    decision = confusion(probabilities, answers, decision_threshold)
    alerts = probabilities >= alert_threshold
    days = days_of(scored.timestamp)
    returns = returns_of(scored.change_pct, scored.reserves_sol, target=target, costs=costs)
    money = None
    if returns is not None and isinstance(target, TimeTarget):
        money = earn(
            alerts, returns, scored.timestamp, scored.coin, horizon_us=target.horizon, days=days, costs=costs,
            random_state=random_state,
        )  # fmt: skip
    return Figures(
        decision=decision,
        half=confusion(probabilities, answers, 0.5),
        alert=confusion(probabilities, answers, alert_threshold),
        base_rate=float(np.mean(answers)),
        roc_auc=roc_auc(probabilities, answers),
        average_precision=average_precision(probabilities, answers),
        brier=brier(probabilities, answers),
        brier_uncalibrated=brier(scored.scores, answers),
        log_loss=log_loss(probabilities, answers),
        curve=threshold_curve(probabilities, answers, days=days, returns_pct=returns),
        precision_recall=precision_recall_curve(probabilities, answers),
        roc=roc_curve(probabilities, answers),
        bins=calibration_bins(probabilities, answers),
        bins_uncalibrated=calibration_bins(scored.scores, answers),
        periods=_by_period(scored, alert_threshold=alert_threshold, returns_pct=returns),
        simulated_profit_pct=legacy_profit_pct(decision.tp, decision.fp, len(answers)),
        expected_value_pct=None if money is None else money.every_alert.mean_pct,
        money=money,
        days=days,
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


def _by_period(scored: Scored, *, alert_threshold: float, returns_pct: Floats | None) -> tuple[PeriodFigures, ...]:
    periods = cut_periods(scored.timestamp)
    found = []
    for number, rows in enumerate(periods.rows()):
        probabilities, answers = scored.probabilities[rows], scored.answers[rows]
        counts = confusion(probabilities, answers, alert_threshold)
        known = np.empty(0)
        if returns_pct is not None:
            brought = returns_pct[rows][probabilities >= alert_threshold]
            known = brought[~np.isnan(brought)]
        found.append(
            PeriodFigures(
                start=periods.start(number),
                minutes=periods.minutes,
                rows=len(rows),
                base_rate=float(answers.mean()),
                average_precision=average_precision(probabilities, answers),
                roc_auc=roc_auc(probabilities, answers),
                alerts=counts.tp + counts.fp,
                precision=counts.precision,
                expected_value_pct=float(known.mean()) if len(known) else None,
            )
        )
    return tuple(found)
