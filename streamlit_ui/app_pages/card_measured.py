"""Figures of a test or of a comparison's model, read from what a service tells of them."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError

from shared.contracts.card import (
    CardBin,
    CardCalibration,
    CardConfusion,
    CardConfusions,
    CardCurves,
    CardEarnings,
    CardFigures,
    CardPeriod,
    CardPrecisionPoint,
    CardRatePoint,
    CardThresholdPoint,
)
from shared.contracts.training import Answer
from streamlit_ui.client.transport import UnexpectedAnswer


class Earned(Answer):
    """What the alerts would have earned."""

    every_alert: CardEarnings
    one_position: CardEarnings
    seen_again: CardEarnings | None = None
    silent_alerts: int | None = None
    alerts_without_outcome: int = 0
    assumed_reserves: int | None = None


class Measured(Answer):
    """Figures and curves of one model on one window; what is not told is None."""

    roc_auc: float | None = None
    average_precision: float | None = None
    base_rate: float | None = None
    brier: float | None = None
    brier_uncalibrated: float | None = None
    log_loss: float | None = None
    holdout_days: float | None = None
    alerts: int | None = None
    alerts_per_day: float | None = None
    expected_value_pct: float | None = None
    simulated_profit_pct: float | None = None
    decision_threshold: float | None = None
    alert_threshold: float | None = None
    money: Earned | None = None
    periods: list[CardPeriod] | None = None
    at_decision_threshold: CardConfusion | None = None
    at_alert_threshold: CardConfusion | None = None
    at_half: CardConfusion | None = None
    threshold_curve: list[CardThresholdPoint] | None = None
    precision_recall_curve: list[CardPrecisionPoint] | None = None
    roc_curve: list[CardRatePoint] | None = None
    calibration_bins: list[CardBin] | None = None
    calibration_bins_uncalibrated: list[CardBin] | None = None

    @classmethod
    def of(cls, metrics: Mapping[str, Any], **beside: Any) -> Self:
        """Give the figures of an answer; `beside` are those that stand outside of its metrics."""
        try:
            return cls.model_validate({**beside, **metrics})
        except ValidationError as error:
            raise UnexpectedAnswer("training", f"metrics: {error.errors()[0]['msg']}") from error

    def figures(self) -> CardFigures | None:
        """Give the single figures as a card has them."""
        if self.base_rate is None:
            return None
        return CardFigures(
            base_rate=self.base_rate, roc_auc=self.roc_auc, average_precision=self.average_precision, brier=self.brier,
            brier_uncalibrated=self.brier_uncalibrated, log_loss=self.log_loss, holdout_days=self.holdout_days or 0.0,
            alerts=self.alerts, alerts_per_day=self.alerts_per_day, simulated_profit_pct=self.simulated_profit_pct,
            expected_value_pct=self.expected_value_pct,
        )  # fmt: skip

    def curves(self) -> CardCurves | None:
        """Give the curves as a card has them."""
        if self.threshold_curve is None:
            return None
        return CardCurves(
            threshold=self.threshold_curve, precision_recall=self.precision_recall_curve, roc=self.roc_curve
        )

    def calibration(self) -> CardCalibration | None:
        """Give the calibration as a card has it."""
        if self.calibration_bins is None:
            return None
        return CardCalibration(after=self.calibration_bins, before=self.calibration_bins_uncalibrated)

    def confusions(self) -> CardConfusions | None:
        """Give the three matrices as a card has them, with their thresholds."""
        decision, alert, half = self.at_decision_threshold, self.at_alert_threshold, self.at_half
        if decision is None or alert is None or half is None:
            return None
        return CardConfusions(
            at_decision_threshold=decision.model_copy(update={"threshold": self.decision_threshold}),
            at_alert_threshold=alert.model_copy(update={"threshold": self.alert_threshold}),
            at_half=half.model_copy(update={"threshold": 0.5}),
        )
