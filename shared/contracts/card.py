"""Wire model of a model card: all that a page about one model shows.

Every section is null for a model that was made before the section was; rates and shares are 0..1, returns and changes
in percent, money in SOL, times RFC 3339 in UTC.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from shared.contracts.card_data import CardAudit, CardProfile
from shared.contracts.model_request import ThresholdChoice
from shared.contracts.training import Answer, JsonObject, Model


class CardFigures(Answer):
    """Single numbers of the hold-out."""

    base_rate: float
    roc_auc: float | None
    average_precision: float | None
    brier: float | None = Field(description="Mean squared error of the probabilities")
    brier_uncalibrated: float | None = Field(None, description="The same of the scores before calibration")
    log_loss: float | None
    holdout_days: float
    alerts: int | None = Field(None, description="Rows that reach the alert threshold, whether answered or not")
    alerts_per_day: float | None = Field(description="Alerts as they would have come, whether answered or not")
    simulated_profit_pct: float | None = Field(None, description="(0.01 tp - 0.005 fp) / n * 100")
    expected_value_pct: float | None = Field(
        None,
        description="Mean return of an alert after costs; a coin not seen again is sold at its last price",
    )


class CardConfusion(Answer):
    """Hold-out rows by prediction and truth at one threshold."""

    threshold: float | None = None
    tp: int
    tn: int
    fp: int
    fn: int
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None


class CardConfusions(Answer):
    """The three thresholds that matter."""

    at_decision_threshold: CardConfusion
    at_alert_threshold: CardConfusion
    at_half: CardConfusion


class CardThresholds(Answer):
    """From which probability on a prediction is 1, and an alert."""

    decision: float | None
    alert: float | None
    alert_by: ThresholdChoice | None = Field(None, description="How the alert threshold was chosen in the end")
    alerts_per_day: float | None = Field(None, description="What was asked for")


class CardPrecisionPoint(Answer):
    """A point of the precision-recall curve."""

    threshold: float
    recall: float
    precision: float


class CardRatePoint(Answer):
    """A point of the ROC curve; no threshold where nothing is predicted 1."""

    threshold: float | None
    fpr: float
    tpr: float


class CardThresholdPoint(Answer):
    """What a threshold would give on the hold-out."""

    threshold: float
    precision: float = Field(description="Of the rows whose answer is known")
    recall: float | None
    alerts_per_day: float | None = Field(description="Of all rows, as are the returns")
    expected_value_pct: float | None = None
    total_return_pct: float | None = Field(None, description="Sum of the returns, in percent of one stake")


class CardCurves(Answer):
    """Curves of the hold-out, at most 200 points each."""

    threshold: list[CardThresholdPoint]
    precision_recall: list[CardPrecisionPoint] | None = None
    roc: list[CardRatePoint] | None = None


class CardBin(Answer):
    """Rows of similar probability: what was said, and what was true."""

    lower: float
    upper: float
    rows: int
    mean_probability: float
    observed_rate: float


class CardCalibration(Answer):
    """How far probabilities can be taken at their word."""

    method: str | None = None
    after: list[CardBin]
    before: list[CardBin] | None = Field(None, description="Of the scores before calibration")


class CardFall(Answer):
    """How much average precision falls when a feature is shuffled."""

    mean: float
    std: float


class CardImportance(Answer):
    """What the model uses, by feature."""

    gain: dict[str, float] | None = Field(description="Share of what was learnt; sums to 1")
    permutation: dict[str, CardFall] | None = None


class CardPeriod(Answer):
    """How the model did in one stretch of the hold-out."""

    start: datetime
    minutes: int
    rows: int = Field(description="Rows whose answer is known")
    base_rate: float | None
    average_precision: float | None
    roc_auc: float | None
    alerts: int = Field(description="Of all rows, as is the expected value")
    precision: float | None
    expected_value_pct: float | None


class CardEarnings(Answer):
    """What a series of trades brought after costs."""

    trades: int
    mean_pct: float | None
    median_pct: float | None
    share_positive: float | None
    worst_pct: float | None
    best_pct: float | None
    low_pct: float | None = Field(
        description="Bound of the mean, 95 % confidence: the wider of drawing blocks of time and coins"
    )
    high_pct: float | None
    interval_note: str | None
    total_sol: float
    per_day_sol: float | None


class CardMoney(Answer):
    """What the alerts of the hold-out would have earned: bought at the row, sold at the horizon."""

    every_alert: CardEarnings
    one_position: CardEarnings = Field(description="A coin that is held is not bought again before its sale")
    seen_again: CardEarnings | None = Field(
        None,
        description="Every alert whose coin was seen again at or after the horizon: unknown in time which ones",
    )
    silent_alerts: int | None = Field(
        None, description="The other trades: the coin is sold at the last price that was recorded"
    )
    alerts_without_outcome: int = Field(description="Alerts without a known price at the horizon; in none of the sums")
    assumed_reserves: int | None = Field(
        None, description="Trades with the slippage of 30 SOL in the curve, as virtual_sol_reserves is missing"
    )
    fee_pct: float
    slippage_pct: float | None = Field(description="Null: from the depth of the bonding curve")
    trade_size_sol: float


class CardCrossValidation(Answer):
    """Scores of the folds, oldest first."""

    scores: JsonObject
    overfitting_gap: float | None


class CardLineage(Answer):
    """From what and with what the model was made."""

    request: JsonObject | None = None
    run_key: str | None = None
    data_sha256: str | None = None
    first_row: datetime | None = None
    last_row: datetime | None = None
    code_version: str | None = None
    features_version: int | None = None
    fingerprint: str | None = None
    libraries: dict[str, str] | None = None
    export_difference: float | None = Field(None, description="Largest difference between native and exported scores")
    signed_by: str | None = Field(None, description="Fingerprint of the key that signed the file; null: not signed")
    seconds: dict[str, float] | None = Field(None, description="By step")


class ModelCard(Answer):
    """All that a page about one model shows."""

    model: Model
    thresholds: CardThresholds
    figures: CardFigures | None = None
    confusion: CardConfusions | None = None
    curves: CardCurves | None = None
    calibration: CardCalibration | None = None
    importance: CardImportance
    periods: list[CardPeriod] | None = None
    money: CardMoney | None = Field(None, description="Null where no rising price is asked about")
    profile: CardProfile | None = None
    audit: CardAudit | None = None
    cross_validation: CardCrossValidation | None = None
    counts: dict[str, int] | None = Field(None, description="Rows of each part, coins, unresolved and purged rows")
    lineage: CardLineage | None = None
    trials: list[JsonObject] | None = Field(None, description="Of the search for hyper-parameters")
    sampling: JsonObject | None = Field(None, description="What was left out of the rows, and how it was drawn")

    @classmethod
    def of(cls, columns: Mapping[str, Any], card: Mapping[str, Any]) -> Self:
        """Give the card of a row of `ml_models`; what an older model's card lacks comes from its other columns."""
        row = dict(columns)
        known = from_columns(row, row.get("metrics") or {})
        sections = {name: section for name, section in known.items() if section is not None}
        return cls.model_validate({**sections, **card, "model": {**row, "metrics": None}})


def from_columns(row: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Give the sections that columns and metrics of a model hold without a card, None where they do not."""
    at = {name: metrics.get(name) for name in ("at_decision_threshold", "at_alert_threshold", "at_half")}
    bins, curve, scores = metrics.get("calibration_bins"), metrics.get("threshold_curve"), row.get("cv_scores")
    return {
        "thresholds": {"decision": row.get("decision_threshold"), "alert": row.get("alert_threshold")},
        "figures": {**row, **metrics} if "holdout_days" in metrics else None,
        "confusion": at if all(at.values()) else None,
        "curves": None if curve is None else {"threshold": curve},
        "calibration": None if bins is None else {"after": bins},
        "importance": {"gain": row.get("feature_importance")},
        "cross_validation": None
        if scores is None
        else {"scores": scores, "overfitting_gap": row.get("cv_overfitting_gap")},
        "counts": metrics.get("counts"),
    }
