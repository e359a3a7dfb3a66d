"""The body that asks for a model: every field checked, alone and against the others."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from shared.coin_metrics.columns import BASE_FEATURES
from shared.contracts.artifact import RuleTargetSpec, TargetSpec, TimeTargetSpec
from shared.contracts.fields import Moment
from shared.contracts.training import Description, JsonObject, ModelKind, ModelName, Operator, Request

INT_MAX = 2**31 - 1
_TIME_FIELDS = ("future_minutes", "min_percent_change", "direction")


def _known_column(value: str) -> str:
    if value not in BASE_FEATURES:
        raise ValueError(f"must be one of {', '.join(BASE_FEATURES)}")
    return value


def _imaginable(value: datetime) -> datetime:
    if not 1970 <= value.year < 2200:  # noqa: PLR2004
        raise ValueError("must lie within the years 1970 to 2199")
    return value


Timestamp = Annotated[Moment, AfterValidator(_imaginable), Field(strict=False)]
Column = Annotated[str, AfterValidator(_known_column), WithJsonSchema({"type": "string", "enum": list(BASE_FEATURES)})]
FeatureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
ThresholdChoice = Literal["share", "alerts_per_day", "expected_value"]
TRADED = ("price_close", "market_cap_close")
"""Columns whose change is what a purchase brings; nobody can trade at a high, a low or the price before."""


class CreateModel(Request):
    """A question, the rows to learn from, and how."""

    name: ModelName
    model_type: ModelKind
    features: Annotated[list[FeatureName], Field(min_length=1, max_length=200)]
    train_start: Timestamp = Field(description="First moment of the rows to learn from")
    train_end: Timestamp = Field(description="Last moment of the rows, included; labels may look further")
    phases: Annotated[list[Annotated[int, Field(ge=0, le=INT_MAX)]], Field(min_length=1, max_length=100)] | None = (
        Field(None, description="Phases whose rows are learnt from; null: all")
    )
    params: JsonObject = Field(default_factory=dict, max_length=40, description="Hyper-parameters, see /model-types")
    description: Description | None = None
    use_time_based_prediction: bool = Field(True, description="Ask about the future; false: a rule on the row itself")
    target_var: Column = "price_close"
    operator: Operator | None = Field(None, validate_default=True)
    target_value: Annotated[float, Field(ge=-1e18, le=1e18)] | None = Field(None, validate_default=True)
    future_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = Field(None, validate_default=True)
    min_percent_change: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(None, validate_default=True)
    direction: Literal["up", "down"] = "up"
    label_mode: Literal["at_horizon", "within_horizon"] = "at_horizon"
    label_resolution: Literal["recording", "observed"] = "recording"
    use_engineered_features: bool = False
    feature_engineering_windows: Annotated[
        list[Annotated[int, Field(ge=1, le=200)]], Field(min_length=1, max_length=10)
    ] = Field(default_factory=lambda: [5, 10, 15], description="Rows of one coin")
    use_smote: bool = Field(
        False, description="Resample what is fitted (SMOTE, then undersampling) when one answer is rarer than 30 %"
    )
    on_resample_error: Literal["fail", "skip"] = Field("fail", description="What to do where resampling cannot work")
    use_timeseries_split: bool = Field(True, description="Cross-validate walking forward in time")
    cv_splits: Annotated[int, Field(ge=2, le=20)] = 5
    test_size: Annotated[float, Field(ge=0.05, le=0.5)] = 0.2
    random_state: Annotated[int, Field(ge=0, le=INT_MAX)] = 42
    calibrate: bool = True
    refit: bool = Field(False, description="Store a model fitted on all rows instead of the one that was measured")
    alerts_per_day: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    alert_threshold_by: ThresholdChoice | None = Field(
        None,
        validate_default=True,
        description="share: the highest 1 %; expected_value: what earns most after costs; "
        "null: alerts_per_day where that is "
        "given, else share",
    )
    fee_pct: Annotated[float, Field(ge=0, le=50)] = Field(1.0, description="Fee per side in percent")
    slippage_pct: Annotated[float, Field(ge=0, le=50)] | None = Field(
        None, description="Slippage per side in percent; null: from the depth of the bonding curve"
    )
    trade_size_sol: Annotated[float, Field(gt=0, le=1000)] = 0.5
    sample_by_coin: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Share of the coins to learn from, drawn by random_state; null: all"
    )
    priority: Annotated[int, Field(ge=0, le=100)] = Field(5, description="Higher ones run first")
    force: bool = Field(False, description="Train even when the same request on the same rows gave a model before")

    @model_validator(mode="before")
    @classmethod
    def read_old_shape(cls, data: Any) -> Any:
        """Take the time target from `params._time_based`, where older clients put it."""
        if not isinstance(data, dict) or not isinstance(data.get("params"), dict):
            return data
        params = dict(data["params"])
        old = params.pop("_time_based", None)
        if old is None:
            return data
        if not isinstance(old, dict) or not set(old) <= {"enabled", *_TIME_FIELDS}:
            raise ValueError(f"params._time_based takes enabled, {', '.join(_TIME_FIELDS)}")
        enabled = old.get("enabled", False)
        taken = {"use_time_based_prediction": enabled}
        if enabled is True:
            taken |= {name: old[name] for name in _TIME_FIELDS if old.get(name) is not None}
        for name, value in taken.items():
            if data.get(name) is not None and data[name] != value:
                raise ValueError(f"params._time_based says {name} {value!r}, the request says {data[name]!r}")
        return {**data, **taken, "params": params}

    @field_validator("train_end")
    @classmethod
    def check_window(cls, value: datetime, info: ValidationInfo) -> datetime:
        """Refuse a window that ends before it starts."""
        start = info.data.get("train_start")
        if start is not None and value <= start:
            raise ValueError("must be later than train_start")
        return value

    @field_validator("operator", "target_value")
    @classmethod
    def check_rule(cls, value: Any, info: ValidationInfo) -> Any:
        """Ask for the rule where there is no horizon, and refuse it where there is one."""
        return _needed(value, info, when=False)

    @field_validator("future_minutes", "min_percent_change")
    @classmethod
    def check_horizon(cls, value: Any, info: ValidationInfo) -> Any:
        """Ask for the horizon where the question is about the future, and refuse it where it is not."""
        value = _needed(value, info, when=True)
        start, end = info.data.get("train_start"), info.data.get("train_end")
        if (
            info.field_name == "future_minutes"
            and value
            and start
            and end
            and value * 60 > (end - start).total_seconds()
        ):
            raise ValueError(f"is longer than the training window of {(end - start).total_seconds() / 60:g} minutes")
        return value

    @field_validator("alert_threshold_by")
    @classmethod
    def check_choice(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse a way to choose that contradicts the rest of the request."""
        given = info.data.get("alerts_per_day") is not None
        if value == "alerts_per_day" and not given:
            raise ValueError("needs alerts_per_day")
        if value in {"share", "expected_value"} and given:
            raise ValueError("cannot be chosen beside alerts_per_day: leave one of them out")
        if value == "expected_value" and not _is_trade(info.data):
            raise ValueError(
                "expected_value needs a question about price_close or market_cap_close going up: at no other value can "
                "be bought and sold"
            )
        return value

    @field_validator("feature_engineering_windows", "phases")
    @classmethod
    def sort_numbers(cls, value: list[int] | None) -> list[int] | None:
        """Give each number once, ascending: their order means nothing."""
        return None if value is None else sorted(set(value))

    @property
    def threshold_choice(self) -> ThresholdChoice:
        """Give how the alert threshold is chosen."""
        return self.alert_threshold_by or ("share" if self.alerts_per_day is None else "alerts_per_day")

    def target(self) -> TargetSpec:
        """Give the question."""
        if self.use_time_based_prediction:
            return TimeTargetSpec(
                target_var=self.target_var,
                future_minutes=self.future_minutes or 0,
                min_percent_change=self.min_percent_change or 0.0,
                direction=self.direction,
                label_mode=self.label_mode,
                label_resolution=self.label_resolution,
            )
        return RuleTargetSpec(
            target_var=self.target_var, operator=self.operator or "=", target_value=self.target_value or 0.0
        )


class Range(Request):
    """Values of a hyper-parameter between two bounds, both included."""

    low: Annotated[float, Field(ge=-1e12, le=1e12)]
    high: Annotated[float, Field(ge=-1e12, le=1e12)]
    log: bool = Field(False, description="Spread evenly over orders of magnitude")


class Choices(Request):
    """Values of a hyper-parameter to choose from."""

    choices: Annotated[list[int | float | str | None], Field(min_length=1, max_length=50)]


class TuneModel(CreateModel):
    """A question whose hyper-parameters are searched for; those in `params` stay as they are."""

    search_space: dict[str, Range | Choices] = Field(
        default_factory=dict,
        max_length=40,
        description="Hyper-parameters to search; empty: the usual ones of the model type",
    )
    trials: Annotated[int, Field(ge=1, le=500)] = 30


def _is_trade(data: dict[str, Any]) -> bool:
    rises = data.get("use_time_based_prediction", True) and data.get("direction") == "up"
    return bool(rises) and data.get("target_var") in TRADED


def _needed(value: Any, info: ValidationInfo, *, when: bool) -> Any:
    timed = info.data.get("use_time_based_prediction")
    if timed is None:
        return value
    if timed is when and value is None:
        raise ValueError(f"is needed when use_time_based_prediction is {str(when).lower()}")
    if timed is not when and value is not None:
        raise ValueError(f"belongs to use_time_based_prediction {str(when).lower()}: leave it out")
    return value
