"""What a model is worth on the hold-out, and what a user should know about it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from shared.features import Notice
from shared.labels import Target
from shared.scoring import (
    CalibrationBin,
    Confusion,
    CurvePoint,
    average_precision,
    brier,
    calibration_bins,
    confusion,
    log_loss,
    roc_auc,
    threshold_curve,
)
from training_service.ml.crossval import CrossValidation
from training_service.ml.dataset import Dataset
from training_service.ml.model import Made, days_of
from training_service.ml.returns import expected_value_pct, legacy_profit_pct
from training_service.ml.split import Index

_RARE, _COMMON = 0.10, 0.90
_TOO_GOOD = 0.95
_BARELY = 0.55
_LOW_F1 = 0.5
_GAP = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a trade costs."""

    fee_pct: float
    slippage_pct: float | None
    trade_size_sol: float


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
    log_loss: float | None
    curve: tuple[CurvePoint, ...]
    bins: tuple[CalibrationBin, ...]
    simulated_profit_pct: float
    expected_value_pct: float | None
    days: float

    def to_metrics(self) -> dict[str, Any]:
        """Give the figures as they are stored beside the columns of a model."""
        return {
            "base_rate": self.base_rate,
            "average_precision": self.average_precision,
            "brier": self.brier,
            "log_loss": self.log_loss,
            "holdout_days": self.days,
            "at_decision_threshold": _counts(self.decision),
            "at_half": _counts(self.half),
            "at_alert_threshold": _counts(self.alert),
            "alerts_per_day": (self.alert.tp + self.alert.fp) / self.days if self.days > 0 else None,
            "threshold_curve": [asdict(point) for point in self.curve],
            "calibration_bins": [asdict(part) for part in self.bins],
        }


def measure(data: Dataset, holdout: Index, made: Made, *, target: Target, costs: Costs) -> Figures:
    """Measure the exported model on the hold-out."""
    probabilities = made.scorer.probabilities(data.features[holdout])
    answers = data.answers[holdout]
    decision = confusion(probabilities, answers, made.decision_threshold)
    days = days_of(data.timestamp[holdout])
    return Figures(
        decision=decision,
        half=confusion(probabilities, answers, 0.5),
        alert=confusion(probabilities, answers, made.alert_threshold),
        base_rate=float(np.mean(answers)),
        roc_auc=roc_auc(probabilities, answers),
        average_precision=average_precision(probabilities, answers),
        brier=brier(probabilities, answers),
        log_loss=log_loss(probabilities, answers),
        curve=threshold_curve(probabilities, answers, days=days),
        bins=calibration_bins(probabilities, answers),
        simulated_profit_pct=legacy_profit_pct(decision.tp, decision.fp, len(answers)),
        expected_value_pct=expected_value_pct(
            probabilities >= made.alert_threshold,
            data.change_pct[holdout],
            data.reserves_sol[holdout],
            target=target,
            fee_pct=costs.fee_pct,
            slippage_pct=costs.slippage_pct,
            trade_size_sol=costs.trade_size_sol,
        ),
        days=days,
    )


def judge(figures: Figures, data: Dataset, cross: CrossValidation | None) -> list[Notice]:
    """Give the warnings that the figures call for."""
    notices = []
    rate = data.readings.base_rate or 0.0
    if not _RARE <= rate <= _COMMON:
        notices.append(_notice("label_imbalance", f"{rate:.2%} of the rows are positive: accuracy alone says little"))
    accuracy, f1, auc = figures.decision.accuracy, figures.decision.f1, figures.roc_auc
    if accuracy is not None and accuracy > _TOO_GOOD:
        trivial = max(figures.base_rate, 1 - figures.base_rate)
        notices.append(
            _notice(
                "suspiciously_accurate",
                f"accuracy is {accuracy:.1%}; always giving the more frequent answer would have {trivial:.1%}",
            )
        )
    if auc is None:
        notices.append(
            _notice("one_class_holdout", "the hold-out holds one answer only: ROC AUC and MCC have no value")
        )
    elif auc < _BARELY:
        notices.append(_notice("barely_learned", f"ROC AUC on the hold-out is {auc:.3f}, chance has 0.5"))
    if f1 is None or f1 < _LOW_F1:
        notices.append(_notice("low_f1", f"F1 on the hold-out is {0.0 if f1 is None else f1:.3f}, below {_LOW_F1}"))
    if cross is not None and cross.overfitting_gap > _GAP:
        notices.append(
            _notice(
                "overfitting",
                f"accuracy falls by {cross.overfitting_gap:.2f} from the rows learnt to those that follow: "
                "take fewer or flatter trees, or more rows",
            )
        )
    return notices


def _counts(counts: Confusion) -> dict[str, float | int | None]:
    return {
        **asdict(counts),
        "accuracy": counts.accuracy,
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
    }


def _notice(code: str, message: str) -> Notice:
    return Notice(code=code, message=message)
