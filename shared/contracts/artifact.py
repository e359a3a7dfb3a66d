"""The manifest of a model file."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.labels import RuleTarget, Target, TimeTarget

FORMAT = 1
Probability = Annotated[float, Field(ge=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class TimeTargetSpec(_Frozen):
    """A question about the future: does target_var move by so much within so many minutes?"""

    kind: Literal["time"] = "time"
    target_var: str
    future_minutes: int
    min_percent_change: float
    direction: Literal["up", "down"]
    label_mode: Literal["at_horizon", "within_horizon"]
    label_resolution: Literal["recording", "observed"]

    def to_target(self) -> Target:
        """Give the target of the label rule."""
        return TimeTarget(
            target_var=self.target_var,
            future_minutes=self.future_minutes,
            min_percent_change=self.min_percent_change,
            direction=self.direction,
            label_mode=self.label_mode,
            label_resolution=self.label_resolution,
        )


class RuleTargetSpec(_Frozen):
    """A question about the row itself."""

    kind: Literal["rule"] = "rule"
    target_var: str
    operator: Literal[">", "<", ">=", "<=", "="]
    target_value: float

    def to_target(self) -> Target:
        """Give the target of the label rule."""
        return RuleTarget(target_var=self.target_var, operator=self.operator, target_value=self.target_value)


TargetSpec = Annotated[TimeTargetSpec | RuleTargetSpec, Field(discriminator="kind")]


class SigmoidCalibration(_Frozen):
    """Platt scaling on the log-odds of the score."""

    method: Literal["sigmoid"] = "sigmoid"
    slope: float
    intercept: float


class IsotonicCalibration(_Frozen):
    """A rising step-wise linear curve through the points (x, y)."""

    method: Literal["isotonic"] = "isotonic"
    x: tuple[float, ...] = Field(min_length=1)
    y: tuple[float, ...] = Field(min_length=1)


class NoCalibration(_Frozen):
    """The score is taken as the probability."""

    method: Literal["none"] = "none"


Calibration = Annotated[SigmoidCalibration | IsotonicCalibration | NoCalibration, Field(discriminator="method")]


class Histogram(_Frozen):
    """Counts of a feature's training values between edges, for drift."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int


class GoldenWindow(_Frozen):
    """Raw rows of one coin (oldest first) with the feature vector and probability of the last one; null is missing."""

    timestamps: tuple[int, ...] = Field(min_length=1, description="microseconds since 1970, UTC")
    columns: dict[str, tuple[float | None, ...]]
    features: tuple[float | None, ...]
    probability: Probability


class Manifest(_Frozen):
    """All that a service must know of a model without asking anybody."""

    format: Literal[1] = 1
    model_id: int
    name: str
    model_type: str
    features: tuple[str, ...] = Field(min_length=1)
    features_version: int
    fingerprint: str
    target: TargetSpec
    phases: tuple[int, ...] | None
    decision_threshold: Probability
    alert_threshold: Probability
    calibration: Calibration
    metrics: dict[str, Any]
    histograms: dict[str, Histogram]
    train_start: AwareDatetime
    train_end: AwareDatetime
    counts: dict[str, int]
    libraries: dict[str, str]
    onnx_sha256: str
    golden: tuple[GoldenWindow, ...] = Field(min_length=1)
