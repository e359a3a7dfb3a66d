"""Random forests of scikit-learn."""

from collections.abc import Mapping
from typing import Any

from training_service.ml.export import export_forest
from training_service.ml.model_types.kind import THREADS, ModelType, Parameter, Range, Value


def _make(parameters: Mapping[str, Value], random_state: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**parameters, random_state=random_state, n_jobs=THREADS)


KIND = ModelType(
    name="random_forest",
    title="Random forest",
    description="Many independent trees that vote; sturdy, little to tune.",
    parameters={
        "n_estimators": Parameter(
            default=100, whole=True, low=1, high=1000, meaning="number of trees", search=Range(low=50, high=300)
        ),
        # Trees without a bound grow model files of gigabytes on a million rows.
        "max_depth": Parameter(
            default=10, whole=True, low=1, high=24, meaning="deepest level of a tree", search=Range(low=4, high=16)
        ),
        "min_samples_split": Parameter(default=2, whole=True, low=2, high=1_000_000, meaning="rows to split a node"),
        "min_samples_leaf": Parameter(
            default=5, whole=True, low=1, high=1_000_000, meaning="rows a leaf keeps",
            search=Range(low=1, high=200, log=True),
        ),
        "max_features": Parameter(
            default="sqrt", low=0, high=1, above_low=True, choices=("sqrt", "log2"), optional=True,
            meaning="share of the features a split looks at; null: all", search=Range(choices=("sqrt", 0.3, 0.5, 0.8)),
        ),
        # A third of the time of all rows, at the same ROC AUC and average precision on real and simulated markets.
        "max_samples": Parameter(
            default=0.2, low=0, high=1, above_low=True, optional=True, meaning="share of the rows a tree sees",
            search=Range(low=0.1, high=0.6),
        ),
        "criterion": Parameter(default="gini", choices=("gini", "entropy", "log_loss"), meaning="what a split lowers"),
        "class_weight": Parameter(
            default=None, choices=("balanced", "balanced_subsample"), optional=True, meaning="weight of the rare class"
        ),
    },
    make=_make,
    export=export_forest,
)  # fmt: skip
