"""The manifest of a model file."""

import itertools
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.errors import Invalid
from shared.labels import RuleTarget, Target, TimeTarget

FORMAT = 1
GOLDEN_WINDOWS = 12
Probability = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Microseconds = Annotated[int, Field(ge=-(2**62), le=2**62)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class _Question(_Frozen):
    def to_target(self) -> Target:
        raise NotImplementedError

    @model_validator(mode="after")
    def _check_question(self) -> Self:
        try:
            self.to_target()
        except Invalid as error:
            raise ValueError(error.message) from error
        return self


class TimeTargetSpec(_Question):
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


class RuleTargetSpec(_Question):
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
    slope: Annotated[Finite, Field(gt=0)]
    intercept: Finite


class IsotonicCalibration(_Frozen):
    """A rising step-wise linear curve through the points (x, y)."""

    method: Literal["isotonic"] = "isotonic"
    x: tuple[Finite, ...] = Field(min_length=1)
    y: tuple[Finite, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_rise(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError("x and y must be of one length")
        if not _rises(self.x, strictly=True):
            raise ValueError("x must rise from point to point")
        if not _rises((0.0, *self.y, 1.0)):
            raise ValueError("y must rise from 0 to 1 at most")
        return self


class NoCalibration(_Frozen):
    """The score is taken as the probability."""

    method: Literal["none"] = "none"


Calibration = Annotated[SigmoidCalibration | IsotonicCalibration | NoCalibration, Field(discriminator="method")]


class Histogram(_Frozen):
    """How training values were spread, for drift: counts between edges, and of missing ones."""

    edges: tuple[Finite, ...]
    counts: tuple[Annotated[int, Field(ge=0)], ...]
    missing: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _check_bins(self) -> Self:
        if len(self.counts) != max(len(self.edges) - 1, 0):
            raise ValueError(f"{len(self.counts)} counts do not fit {len(self.edges)} edges")
        if not _rises(self.edges):
            raise ValueError("edges must rise")
        return self


class GoldenWindow(_Frozen):
    """Raw rows of one coin (oldest first) with the feature vector and probability of the last one; null is missing."""

    timestamps: tuple[Microseconds, ...] = Field(min_length=1, description="microseconds since 1970, UTC")
    columns: dict[str, tuple[float | None, ...]]
    features: tuple[float | None, ...]
    probability: Probability

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if not _rises(self.timestamps, strictly=True):
            raise ValueError("timestamps must rise from row to row")
        for name, cells in self.columns.items():
            if len(cells) != len(self.timestamps):
                raise ValueError(f"{name} has {len(cells)} values for {len(self.timestamps)} rows")
        return self


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
    score_histogram: Histogram | None = Field(
        None, description="probabilities of the hold-out's stretch of time; older files have none"
    )
    train_start: AwareDatetime
    train_end: AwareDatetime
    counts: dict[str, int]
    libraries: dict[str, str]
    onnx_sha256: str
    golden: tuple[GoldenWindow, ...] = Field(min_length=GOLDEN_WINDOWS)

    @model_validator(mode="after")
    def _check_golden(self) -> Self:
        if not any(None in cells for window in self.golden for cells in window.columns.values()):
            raise ValueError("none of the golden windows has a missing value")
        return self


def _rises(numbers: Sequence[float], *, strictly: bool = False) -> bool:
    return all(low < high or (low == high and not strictly) for low, high in itertools.pairwise(numbers))
