"""What is done differently when there are many rows changes nothing that a user would see."""

import numpy as np

from shared.artifact import Scorer
from shared.contracts.artifact import NoCalibration
from shared.scoring import roc_auc
from training_service.ml.fit import fit_model, native_scores
from training_service.ml.model_types import find_kind, resolve_parameters
from training_service.ml.model_types.xgboost import STEPS_FROM_ROWS
from training_service.ml.parity import check_parity

SMALL = {"n_estimators": 20, "max_depth": 4}


def rows(count):
    random = np.random.default_rng(3)
    features = random.lognormal(size=(count, 4)).astype(np.float32)
    features[random.random(features.shape) < 0.1] = np.nan
    drive = np.nan_to_num(features[:, 0]) - np.nan_to_num(features[:, 1]) + random.normal(size=count)
    return features, (drive > 1).astype(np.int8)


def fitted(features, answers, random_state=1):
    return fit_model(
        features,
        answers,
        model_type="xgboost",
        parameters=resolve_parameters("xgboost", SMALL),
        random_state=random_state,
    )


def test_xgboost_when_steps_come_from_a_part_of_many_rows_then_it_ranks_as_well_and_exports_as_exactly():
    features, answers = rows(2 * STEPS_FROM_ROWS + 20_000)
    learnt, later = slice(0, 2 * STEPS_FROM_ROWS), slice(2 * STEPS_FROM_ROWS, None)

    of_part = fitted(features[learnt], answers[learnt])
    from xgboost import XGBClassifier

    of_all = XGBClassifier(
        **resolve_parameters("xgboost", SMALL),
        objective="binary:logistic",
        tree_method="hist",
        random_state=1,
        n_jobs=2,
    ).fit(features[learnt], answers[learnt])

    part, whole = (roc_auc(native_scores(model, features[later]), answers[later]) for model in (of_part, of_all))
    assert abs(part - whole) < 0.003
    onnx = find_kind("xgboost").export(of_part, 4)
    assert check_parity(of_part, onnx, features[later], random_state=1).difference < 1e-5
    assert of_part.feature_importances_.sum() > 0.99


def test_xgboost_when_many_rows_are_fitted_twice_then_both_models_are_equal():
    features, answers = rows(2 * STEPS_FROM_ROWS)

    first, second = (find_kind("xgboost").export(fitted(features, answers), 4) for _ in range(2))

    assert first == second


def test_scores_when_threads_share_the_rows_then_they_are_those_of_one():
    features, answers = rows(20_000)
    onnx = find_kind("xgboost").export(fitted(features, answers), 4)

    one, two = (Scorer(onnx, NoCalibration(), threads=threads).scores(features[:7001]) for threads in (1, 2))

    assert np.array_equal(one, two)
