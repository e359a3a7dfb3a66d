"""The kinds of models: their hyper-parameters with defaults and bounds, and how each is made."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import Invalid

THREADS = 2  # the same on every machine: figures must not depend on the number of cores

Value = int | float | str | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One hyper-parameter."""

    default: Value
    meaning: str
    whole: bool = False
    """Integers only."""
    low: float | None = None
    high: float | None = None
    above_low: bool = False
    """The lower bound itself is not allowed."""
    choices: tuple[str, ...] = ()
    optional: bool = False
    """null is allowed."""

    @property
    def allowed(self) -> str:
        """Say what is allowed, for people."""
        parts = []
        if self.low is not None and self.high is not None:
            kind = "an integer" if self.whole else "a number"
            start = f"above {self.low:g} and up to" if self.above_low else f"from {self.low:g} to"
            parts.append(f"{kind} {start} {self.high:g}")
        if self.choices:
            parts.append("one of " + ", ".join(self.choices))
        if self.optional:
            parts.append("null")
        return " or ".join(parts)

    def accepts(self, value: object) -> bool:
        """Tell whether the value is allowed."""
        if value is None:
            return self.optional
        if isinstance(value, str):
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float) or self.low is None or self.high is None:
            return False
        if self.whole and not isinstance(value, int):
            return False
        return self.low < value <= self.high if self.above_low else self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelType:
    """One kind of model."""

    name: str
    title: str
    description: str
    parameters: Mapping[str, Parameter]

    @property
    def defaults(self) -> dict[str, Value]:
        """Give the hyper-parameters that are used when none are asked for."""
        return {name: parameter.default for name, parameter in self.parameters.items()}


RANDOM_FOREST = ModelType(
    name="random_forest",
    title="Random forest",
    description="Many independent trees that vote; sturdy, little to tune.",
    parameters={
        "n_estimators": Parameter(default=100, whole=True, low=1, high=1000, meaning="number of trees"),
        # Trees without a bound grow model files of gigabytes on a million rows.
        "max_depth": Parameter(default=10, whole=True, low=1, high=24, meaning="deepest level of a tree"),
        "min_samples_split": Parameter(default=2, whole=True, low=2, high=1_000_000, meaning="rows to split a node"),
        "min_samples_leaf": Parameter(default=5, whole=True, low=1, high=1_000_000, meaning="rows a leaf keeps"),
        "max_features": Parameter(
            default="sqrt", low=0, high=1, above_low=True, choices=("sqrt", "log2"), optional=True,
            meaning="share of the features a split looks at; null: all",
        ),
        # A third of the time of all rows, at the same ROC AUC and average precision on real and simulated markets.
        "max_samples": Parameter(
            default=0.2, low=0, high=1, above_low=True, optional=True, meaning="share of the rows a tree sees"
        ),
        "criterion": Parameter(default="gini", choices=("gini", "entropy", "log_loss"), meaning="what a split lowers"),
        "class_weight": Parameter(
            default=None, choices=("balanced", "balanced_subsample"), optional=True, meaning="weight of the rare class"
        ),
    },
)  # fmt: skip

XGBOOST = ModelType(
    name="xgboost",
    title="XGBoost",
    description="Trees that correct each other; usually the better one.",
    parameters={
        "n_estimators": Parameter(default=100, whole=True, low=1, high=3000, meaning="number of trees"),
        "max_depth": Parameter(default=6, whole=True, low=1, high=16, meaning="deepest level of a tree"),
        "learning_rate": Parameter(default=0.1, low=0.0001, high=1, meaning="how much of each tree is taken"),
        "subsample": Parameter(default=0.8, low=0, high=1, above_low=True, meaning="share of the rows a tree sees"),
        "colsample_bytree": Parameter(
            default=0.8, low=0, high=1, above_low=True, meaning="share of the features a tree sees"
        ),
        "min_child_weight": Parameter(default=5, low=0, high=1_000_000, meaning="weight a leaf keeps"),
        "gamma": Parameter(default=0, low=0, high=1_000_000, meaning="loss a split must save"),
        "reg_alpha": Parameter(default=0, low=0, high=1_000_000, meaning="L1 penalty on leaves"),
        "reg_lambda": Parameter(default=1, low=0, high=1_000_000, meaning="L2 penalty on leaves"),
        "scale_pos_weight": Parameter(default=1, low=0.001, high=10_000, meaning="weight of the positive rows"),
        "max_bin": Parameter(default=256, whole=True, low=2, high=1024, meaning="steps a feature is cut into"),
    },
)

MODEL_TYPES: Mapping[str, ModelType] = {kind.name: kind for kind in (RANDOM_FOREST, XGBOOST)}


def resolve_parameters(model_type: str, asked: Mapping[str, object]) -> dict[str, Value]:
    """Give the complete hyper-parameters; an unknown name or an impossible value is an `Invalid` that says more."""
    kind = MODEL_TYPES[model_type]
    resolved = kind.defaults
    for name, value in asked.items():
        parameter = kind.parameters.get(name)
        if parameter is None:
            raise Invalid(_unknown(kind, name), pointer=f"/params/{_escape(name)}")
        resolved[name] = _accepted(parameter, value, name=name, model_type=model_type)
    return resolved


def make_estimator(model_type: str, parameters: Mapping[str, Value], *, random_state: int) -> Any:
    """Give an unfitted estimator of scikit-learn's interface."""
    # The libraries take seconds to load, and the API only asks for names and bounds.
    if model_type == RANDOM_FOREST.name:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(**parameters, random_state=random_state, n_jobs=THREADS)
    from xgboost import XGBClassifier

    return XGBClassifier(
        **parameters, objective="binary:logistic", tree_method="hist", random_state=random_state, n_jobs=THREADS
    )


def _accepted(parameter: Parameter, value: object, *, name: str, model_type: str) -> Value:
    if not parameter.accepts(value):
        raise Invalid(f"{name} of {model_type} must be {parameter.allowed}", pointer=f"/params/{name}")
    if isinstance(value, int | float):
        # scikit-learn takes the integer 1 as "one feature", where a share of 1 is meant.
        return int(value) if parameter.whole else float(value)
    return value if isinstance(value, str) else None


def _escape(name: str) -> str:
    whole = name[:100].encode(errors="replace").decode()
    return whole.replace("~", "~0").replace("/", "~1")


def _unknown(kind: ModelType, name: str) -> str:
    near = difflib.get_close_matches(name, kind.parameters, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it takes {', '.join(kind.parameters)}"
    return f"{kind.name} has no hyper-parameter {name[:100]!r}; {hint}"
