"""Wire models of statistics: how good models are live, and whether the books of the service balance."""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.fields import Moment

Count = int
Share = float | None


class _Answer(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), from_attributes=True)


class StatisticsFilter(BaseModel):
    """Which predictions to sum up; whole hours, those that hold one of the bounds included."""

    model_config = ConfigDict(extra="forbid")

    date_from: Moment | None = Field(
        None, description="Least data_timestamp, its whole hour included; null: from the first prediction on"
    )
    date_to: Moment | None = Field(
        None, description="Greatest data_timestamp, its whole hour included; null: up to the newest one"
    )


class Judged(_Answer):
    """Right and wrong ones among those whose truth is known; a share of nothing is null."""

    tp: Count = Field(description="Said yes, and it came true")
    fp: Count = Field(description="Said yes, and it did not come true")
    tn: Count = Field(description="Said no, rightly")
    fn: Count = Field(description="Said no, though it came true")
    precision: Share = Field(description="tp / (tp + fp)")
    recall: Share = Field(description="tp / (tp + fn)")
    f1: Share = Field(description="Harmonic mean of both")


class JudgedPredictions(Judged):
    """Predictions by their decision threshold."""

    brier: Share = Field(description="Mean squared error of the probability; smaller is better")


class JudgedAlerts(JudgedPredictions):
    """Alerts, against everything else as a no."""

    brier: Share = Field(description="Mean squared error of the probability of alerts whose truth is known")
    unresolved: Count = Field(description="Alerts whose truth stays unknown")
    pending: Count = Field(description="Alerts whose horizon is not over, or not looked at yet")


class MeanChange(_Answer):
    """What the target's value did from the row to the horizon, before any costs."""

    count: Count = Field(description="Predictions whose change is known, silent coins at their last value")
    mean_pct: float | None = Field(description="Mean change in percent; null where none is known")


class Changes(_Answer):
    """Mean realised changes."""

    all: MeanChange
    positives: MeanChange = Field(description="Of predictions that said 1")
    alerts: MeanChange


class Figures(_Answer):
    """Predictions of some stretch, and what became of them."""

    predictions: Count
    positives: Count = Field(description="Of them said 1")
    alerts: Count = Field(description="Of them at or above the alert threshold of that moment")
    pending: Count = Field(description="Horizon not over, or not looked at yet")
    unresolved: Count = Field(description="Truth is unknown: coin left tracking, value missing, not seen again")
    resolved: Count = Field(description="Truth is known")
    base_rate: Share = Field(description="Share of the resolved that came true")
    mean_probability: float | None
    mean_duration_ms: float | None = Field(description="From reading the row to the answer, milliseconds")
    prediction: JudgedPredictions
    alert: JudgedAlerts
    change: Changes


class DayFigures(Figures):
    """One day."""

    day: date = Field(description="Of data_timestamp, UTC")


class HourFigures(Figures):
    """One hour."""

    hour: AwareDatetime = Field(description="Its start, of data_timestamp")


class PhaseFigures(Figures):
    """One phase."""

    phase: int | None = Field(description="Null: rows without a phase")


class CalibrationBin(_Answer):
    """Predictions of similar probability: what was said, and what came true."""

    lower: float
    upper: float
    rows: Count = Field(description="Resolved predictions")
    mean_probability: float
    observed_rate: float = Field(description="Share that came true")


class HoldOut(_Answer):
    """What the model showed in training on rows it had not learnt from; null where its file does not say."""

    days: float | None
    base_rate: Share
    roc_auc: float | None
    average_precision: float | None
    brier: float | None
    prediction: Judged | None = Field(description="At the decision threshold")
    alert: Judged | None = Field(description="At the alert threshold of the file")
    alerts_per_day: float | None
    calibration: list[CalibrationBin]


class DriftDay(_Answer):
    """How far the rows of a day are from those the model learnt from: population stability indexes."""

    day: date
    rows: Count = Field(description="Sampled predictions it rests on")
    score_psi: float | None = Field(description="Of the probability; null where the model file does not tell")
    features: dict[str, float] = Field(description="Of each feature")
    level: Literal["ok", "moderate", "strong"] | None = Field(description="Of what moved most; null: too few rows")
    computed_at: AwareDatetime


class ModelStatistics(_Answer):
    """How good a model is live, beside what its training promised; about two seconds behind the predictions."""

    active_model_id: int
    model_id: int
    name: str | None = Field(description="Null when the model was deleted")
    is_active: bool | None
    decision_threshold: float | None
    alert_threshold: float | None = Field(description="The present one")
    first_hour: AwareDatetime | None = Field(description="First hour with predictions")
    last_hour: AwareDatetime | None
    last_prediction_at: AwareDatetime | None = Field(description="Newest data_timestamp")
    total: Figures
    by_day: list[DayFigures] = Field(description="Oldest first, the newest 400 days at most")
    by_hour: list[HourFigures] = Field(description="Oldest first, the last 168 hours up to the last one")
    by_phase: list[PhaseFigures]
    calibration: list[CalibrationBin] = Field(description="Twentieths of probability that hold any")
    hold_out: HoldOut | None
    drift: list[DriftDay] = Field(description="Newest day first, whatever dates were asked for")


class WorkerState(_Answer):
    """What a prediction worker last said of itself."""

    shards: list[int] = Field(description="Parts of the coins, of eight, that it answers")
    beat: AwareDatetime | None = Field(description="When")
    listener: str | None = Field(description="listen or polling")
    lag_seconds: float | None = Field(description="How long it has not been up to date")
    coins_in_memory: int | None
    trouble: str | None


class Books(_Answer):
    """Whether all that was owed is accounted for: owed = predictions + skipped."""

    rows: Count = Field(
        description="Rows that came while a model was active, repeats and late ones included, by the workers' count"
    )
    owed: Count = Field(description="Rows × models that were active when they came, by the workers' count")
    predictions: Count = Field(description="Stored ones: those rolled up, and those to be rolled up in a moment")
    skipped: dict[str, int] = Field(description="Left out, by reason")
    not_rolled_up: Count = Field(description="Of the predictions, those of the last moment")
    balanced: bool


class ModelCounts(_Answer):
    """Imported models."""

    live: Count
    shadow: Count
    inactive: Count
    with_statistics: Count = Field(description="Deleted ones included")


class ServiceStatistics(_Answer):
    """The whole service."""

    books: Books
    figures: Figures = Field(description="Of all models together")
    deliveries: dict[str, int] = Field(description="Messages by status; those that ended are counted for ever")
    models: ModelCounts
    recording_clock: AwareDatetime | None = Field(description="Newest row that all workers have reached")
    outcomes_behind_seconds: float | None = Field(
        None,
        description="By the recording clock, how long the oldest outcome that could be told has waited; null: no clock",
    )
    last_prediction_at: AwareDatetime | None
    workers: list[WorkerState]
