"""From fitted models to ONNX: the same scores, missing values included, and the same bytes."""

import numpy as np
import pytest

from shared.artifact import Scorer
from shared.contracts.artifact import IsotonicCalibration, NoCalibration
from shared.errors import JobFailed
from training_service.ml import export
from training_service.ml.fit import feature_importance, fit_model, native_scores
from training_service.ml.model_types import MODEL_TYPES, find_kind, resolve_parameters
from training_service.ml.parity import Comparison, check_flips, check_parity

WIDTH = 6
both_types = pytest.mark.parametrize("model_type", list(MODEL_TYPES))


def rows(count, *, seed=0, holes=0.0):
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, WIDTH)).astype(np.float32)
    # Neighbouring float32 numbers: a threshold between two of them has no float32 of its own.
    features[:, 3] = 1 + random.integers(0, 6, count).astype(np.float32) * np.float32(2**-23)
    features[:, 4] = random.integers(0, 4, count)
    score = features[:, 0] + features[:, 1] * features[:, 2] + 2 * (features[:, 3] > 1 + 2.5 * 2**-23)
    answers = (score + random.normal(size=count) > 1.5).astype(np.int8)
    features[random.random(features.shape) < holes] = np.nan
    return features, answers


def fit(model_type, *, holes, seed=0, **parameters):
    features, answers = rows(1500, seed=seed, holes=holes)
    asked = resolve_parameters(model_type, {"n_estimators": 25, **parameters})
    return fit_model(features, answers, model_type=model_type, parameters=asked, random_state=42)


def to_onnx(model_type, native):
    return find_kind(model_type).export(native, WIDTH)


@both_types
@pytest.mark.parametrize("learnt_holes", [0.0, 0.2])
@pytest.mark.parametrize("served_holes", [0.0, 0.4])
def test_exported_scores_equal_native_ones_with_and_without_missing_values(model_type, learnt_holes, served_holes):
    native = fit(model_type, holes=learnt_holes)
    features, _ = rows(3000, seed=9, holes=served_holes)

    exported = Scorer(to_onnx(model_type, native), NoCalibration()).scores(features)

    assert np.abs(exported - native_scores(native, features)).max() < 1e-5
    assert exported.std() > 0.05


@both_types
def test_the_same_request_gives_the_same_bytes(model_type):
    first = to_onnx(model_type, fit(model_type, holes=0.1))
    second = to_onnx(model_type, fit(model_type, holes=0.1))

    assert first == second


@both_types
def test_another_random_state_gives_another_model(model_type):
    features, answers = rows(1500, holes=0.1)
    asked = resolve_parameters(model_type, {"n_estimators": 5})
    models = [
        to_onnx(model_type, fit_model(features, answers, model_type=model_type, parameters=asked, random_state=state))
        for state in (1, 2)
    ]

    assert models[0] != models[1]


def test_a_boosted_model_whose_first_tree_is_one_empty_leaf_keeps_its_intercept():
    features, answers = rows(1500)
    native = fit("xgboost", holes=0.0, n_estimators=3, gamma=1e5)

    exported = Scorer(to_onnx("xgboost", native), NoCalibration()).scores(features)

    np.testing.assert_allclose(exported, native_scores(native, features), atol=1e-5)
    assert feature_importance(native, list("abcdef")) == {}
    assert exported[0] == pytest.approx(answers.mean(), abs=0.01)


@both_types
def test_parity_check_when_the_export_is_of_another_model_fails_the_job(model_type):
    features, _ = rows(500, seed=5)
    other = to_onnx(model_type, fit(model_type, holes=0.0, seed=3))

    with pytest.raises(JobFailed, match="the exported model differs from the fitted one by"):
        check_parity(fit(model_type, holes=0.0), other, features, random_state=1)


def test_parity_check_sees_an_export_that_is_wrong_only_where_values_are_missing(monkeypatch):
    monkeypatch.setattr(export, "_set_missing_directions", lambda _ensemble, _forest: None)
    native = fit("random_forest", holes=0.2)
    features, _ = rows(500, seed=5)

    with pytest.raises(JobFailed, match="differs"):
        check_parity(native, to_onnx("random_forest", native), features, random_state=1)


STEEP = IsotonicCalibration(x=(0.0, 0.499995, 0.500005, 1.0), y=(0.1, 0.2, 0.8, 0.9))


def compared(native, exported):
    return Comparison(native=np.array(native), exported=np.array(exported), difference=8e-6)


def test_flip_check_when_a_steep_calibration_parts_scores_that_are_equal_enough_fails_the_job():
    scores = compared([0.3, 0.499996, 0.7], [0.3, 0.500004, 0.7])

    with pytest.raises(JobFailed, match=r"differently from the fitted one for 1 of 3 rows at the threshold 0\.5"):
        check_flips(scores, STEEP, (0.15, 0.5))


def test_flip_check_when_the_row_lies_beside_the_threshold_passes():
    scores = compared([0.3, 0.499996, 0.7], [0.3, 0.500004, 0.7])

    check_flips(scores, STEEP, (0.15, 0.9))
    check_flips(scores, NoCalibration(), (0.5, 0.7))


@both_types
def test_flip_check_of_a_faithful_export_passes_at_any_threshold(model_type):
    native = fit(model_type, holes=0.2)
    features, _ = rows(500, seed=5)
    found = check_parity(native, to_onnx(model_type, native), features, random_state=1)

    check_flips(found, NoCalibration(), np.unique(found.exported))


@both_types
def test_a_giant_model_is_refused_before_it_is_converted(model_type, monkeypatch):
    monkeypatch.setattr(export, "MAX_NODES", 50)

    with pytest.raises(JobFailed, match=r"25 trees hold .* nodes, more than 50: lower n_estimators or max_depth"):
        to_onnx(model_type, fit(model_type, holes=0.0))


@both_types
def test_importance_sums_to_one(model_type):
    shares = feature_importance(fit(model_type, holes=0.1), list("abcdef"))

    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
    assert shares["a"] > max(shares["e"], shares["f"])


@both_types
def test_fit_when_all_answers_are_alike_fails_the_job(model_type):
    features, answers = rows(100)

    with pytest.raises(JobFailed, match=r"hold one answer only \(0 positive of 100\)"):
        fit_model(
            features,
            np.zeros_like(answers),
            model_type=model_type,
            parameters=resolve_parameters(model_type, {}),
            random_state=1,
        )
