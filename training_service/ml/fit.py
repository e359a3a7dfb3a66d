"""Fit a model, and read scores and importances from it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import JobFailed
from training_service.ml.model_types import Value, make_estimator

Features = NDArray[np.float32]
Answers = NDArray[np.int8]


def fit_model(
    features: Features, answers: Answers, *, model_type: str, parameters: Mapping[str, Value], random_state: int
) -> Any:
    """Fit on float32[n, F] features (NaN = missing, no infinity) and 0/1 answers; the same input, the same model."""
    if len(np.unique(answers)) < 2:  # noqa: PLR2004 - two classes
        raise JobFailed(
            f"the rows to fit on hold one answer only ({_count(answers)}): take a longer window or an easier target"
        )
    native = make_estimator(model_type, parameters, random_state=random_state)
    native.fit(features, answers.astype(np.int64))
    return native


def native_scores(native: Any, features: Features) -> NDArray[np.float64]:
    """Give the native model's score of class 1: float64[n] in 0..1."""
    # Two threads add up the votes of a forest in an order that changes from call to call.
    if "n_jobs" in native.get_params(deep=False):
        native.set_params(n_jobs=1)
    return np.asarray(native.predict_proba(features)[:, 1], np.float64)


def feature_importance(native: Any, names: Sequence[str]) -> dict[str, float]:
    """Give each feature's share of what the model learned; sums to 1, or is empty when the model knows of none."""
    raw = np.nan_to_num(np.asarray(getattr(native, "feature_importances_", ()), np.float64))
    total = float(raw.sum())
    if total <= 0:
        return {}
    return dict(zip(names, (raw / total).tolist(), strict=True))


def _count(answers: Answers) -> str:
    positives = int(answers.sum())
    return f"{positives} positive of {len(answers)}"
