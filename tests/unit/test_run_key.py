"""Which requests are the same work."""

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.model_request import CreateModel, TuneModel
from shared.features import FeatureSpec
from shared.features.families import FAMILY
from tests.support.database import START
from tests.support.training import body
from training_service.ml.model_types import find_kind, resolve_parameters
from training_service.usecases.run_key import libraries_present, run_key, sources

RULE = {
    "use_time_based_prediction": False, "future_minutes": ..., "min_percent_change": ..., "target_var": "num_buys",
    "operator": ">", "target_value": 3,
}  # fmt: skip
SEARCHED = find_kind("xgboost").search_ranges
SPACE = {"max_depth": {"low": 2, "high": 6}}


def written(span):
    return (
        {"choices": list(span.choices)} if span.low is None else {"low": span.low, "high": span.high, "log": span.log}
    )


def key_of(**changes):
    asked = (TuneModel if "trials" in changes else CreateModel).model_validate(body(**changes))
    spec, _ = FeatureSpec.resolve(
        asked.features, use_engineered=asked.use_engineered_features, windows=asked.feature_engineering_windows,
        target=asked.target().to_target(),
    )  # fmt: skip
    params = resolve_parameters(asked.model_type, asked.params)
    return run_key(asked.model_dump(mode="json"), features=spec.names, params=params, data="rows")


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "name and priority": ({}, {"name": "b", "description": "c", "priority": 9, "force": True}),
    "a default hyper-parameter": ({"params": {}}, {"params": {"max_depth": 6}}),
    "the usual threshold": ({}, {"alert_threshold_by": "share"}),
    "alerts a day": ({"alerts_per_day": 3}, {"alerts_per_day": 3, "alert_threshold_by": "alerts_per_day"}),
    "windows of no feature": ({}, {"feature_engineering_windows": [7]}),
    "features by switch and by name": (
        {"features": ["price_close"], "use_engineered_features": True, "feature_engineering_windows": [5]},
        {"features": ["price_close", *(f"{family}_5" for family in FAMILY)]},
    ),
    "what to do when nothing is resampled": ({}, {"on_resample_error": "skip"}),
    "folds that nobody fits": ({}, {"cv_splits": 7}),
    "the direction of a rule": (RULE, {**RULE, "direction": "down", "label_mode": "within_horizon"}),
    "another way to write a moment": ({}, {"train_start": START.isoformat().replace("+00:00", "Z")}),
    "the usual space": (
        {"trials": 5},
        {"trials": 5, "search_space": {name: written(span) for name, span in SEARCHED.items()}},
    ),
}  # fmt: skip
OTHER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "resampling": ({}, {"use_smote": True}),
    "what to do when resampling fails": ({"use_smote": True}, {"use_smote": True, "on_resample_error": "skip"}),
    "folds": ({"use_timeseries_split": True}, {"use_timeseries_split": True, "cv_splits": 7}),
    "folds of trials": ({"trials": 5}, {"trials": 5, "cv_splits": 7}),
    "trials": ({"trials": 5}, {"trials": 6}),
    "a search": ({}, {"trials": 5}),
    "a space": ({"trials": 5}, {"trials": 5, "search_space": SPACE}),
    "the order of features": ({}, {"features": list(reversed(body()["features"]))}),
    "the way to the threshold": ({}, {"alert_threshold_by": "expected_value"}),
    "the seed": ({}, {"random_state": 1}),
    "the direction": ({}, {"direction": "down"}),
    "the end": ({}, {"train_end": (START + timedelta(minutes=100)).isoformat()}),
    "a hyper-parameter": ({"params": {}}, {"params": {"max_depth": 7}}),
}


@pytest.mark.parametrize("case", list(SAME))
def test_key_when_a_request_writes_out_what_holds_anyway_then_is_the_same(case: str):
    first, second = SAME[case]
    assert key_of(**first) == key_of(**second)


@pytest.mark.parametrize("case", list(OTHER))
def test_key_when_the_model_would_be_another_then_is_another(case: str):
    first, second = OTHER[case]
    assert key_of(**first) != key_of(**second)


def test_code_when_hashed_then_is_what_makes_a_model_and_nothing_else():
    named = {"/".join(path.parts[-2:]) for path in sources()}
    assert {
        "features/build.py", "labels/answer.py", "scoring/counts.py", "coin_metrics/load.sql", "shared/artifact.py",
        "ml/model.py", "model_types/xgboost.py", "usecases/train.py",
    } <= named  # fmt: skip
    assert not {"web/guards.py", "contracts/card.py", "routes/models.py", "store/jobs.sql", "usecases/lease.py"} & named


def test_libraries_when_told_then_python_and_those_that_decide_figures_are_among_them():
    assert {"python", "numpy", "scipy", "threadpoolctl", "scikit-learn"} <= set(libraries_present())
