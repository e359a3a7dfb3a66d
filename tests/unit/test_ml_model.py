"""Making a model: what is done that nobody asked for is told."""

from dataclasses import replace

import numpy as np
import pytest

from shared.errors import JobFailed
from tests.support.datasets import dataset, unanswered
from tests.support.market_rows import MINUTE, START
from training_service.ml import model
from training_service.ml.calibrate import fit_calibration
from training_service.ml.divide import divide
from training_service.ml.fit import fit_model
from training_service.ml.model import Recipe, make_model, refit_model

RECIPE = Recipe(
    model_type="xgboost",
    parameters={"n_estimators": 10, "max_depth": 2},
    random_state=1,
    calibrate=True,
    alerts_per_day=None,
)


def made(answers, *, recipe=RECIPE):
    values = np.random.default_rng(2).random(1000)
    data = dataset(values, answers(values))
    return make_model(data, divide(data, test_size=0.2, horizon_us=0), recipe)


def turned_round(values):
    """What was true in the first 640 rows is false in those that calibrate and measure."""
    return ((values > 0.5) ^ (np.arange(len(values)) >= 640)).astype(np.int8)


def test_model_whose_scores_fall_with_the_answers_says_that_it_is_not_calibrated():
    found = made(turned_round)

    assert found.calibration.method == "none"
    assert "not_calibrated" in [notice.code for notice in found.notices]


def test_model_that_was_not_to_be_calibrated_says_nothing():
    recipe = Recipe(
        model_type="xgboost", parameters=RECIPE.parameters, random_state=1, calibrate=False, alerts_per_day=None
    )

    assert "not_calibrated" not in [notice.code for notice in made(turned_round, recipe=recipe).notices]


def test_model_that_gives_one_score_only_fails_the_job():
    recipe = Recipe(
        model_type="xgboost", parameters={"n_estimators": 3, "gamma": 1e6}, random_state=1, calibrate=True,
        alerts_per_day=None,
    )  # fmt: skip

    with pytest.raises(JobFailed, match="every row the same probability"):
        made(lambda values: (values > 0.7).astype(np.int8), recipe=recipe)


SMOTE = replace(RECIPE, use_smote=True)


def codes(found):
    return [notice.code for notice in found.notices]


def seldom(values):
    return (values > 0.9).astype(np.int8)


def watch_what_is_fitted(monkeypatch):
    """Give the rows and answers of each fit, as they reach the estimator."""
    seen = []

    def watched(features, answers, **how):
        seen.append((features[:, 0], answers))
        return fit_model(features, answers, **how)

    monkeypatch.setattr(model, "fit_model", watched)
    return seen


def test_resampling_when_one_answer_is_rare_touches_the_rows_to_fit_and_no_others(monkeypatch):
    seen = watch_what_is_fitted(monkeypatch)
    values = np.random.default_rng(2).random(1000)
    data = dataset(values, seldom(values))
    before = data.features.tobytes(), data.answers.tobytes()
    split = divide(data, test_size=0.2, horizon_us=0)
    calibrated = []
    monkeypatch.setattr(
        model, "fit_calibration", lambda scores, answers: calibrated.append(answers) or fit_calibration(scores, answers)
    )

    make_model(data, split, SMOTE)

    ((features, answers),) = seen
    fitted, later = data.features[split.fit, 0], data.features[np.concatenate([split.calibration, split.holdout]), 0]
    assert answers.mean() == pytest.approx(0.444, abs=0.01)
    assert data.answers[split.fit].mean() < 0.12
    assert set(fitted[data.answers[split.fit] == 1]) < set(features)
    assert not set(later) & set(features)
    assert calibrated[0].tolist() == data.answers[split.calibration].tolist()
    assert (data.features.tobytes(), data.answers.tobytes()) == before


def test_refit_of_a_resampled_model_resamples_all_rows(monkeypatch):
    seen = watch_what_is_fitted(monkeypatch)
    values = np.random.default_rng(2).random(1000)
    data = dataset(values, seldom(values))

    refit_model(data, make_model(data, divide(data, test_size=0.2, horizon_us=0), SMOTE), SMOTE)

    assert len(seen[1][1]) > len(seen[0][1])
    assert seen[1][1].mean() == pytest.approx(0.444, abs=0.01)


def test_resampled_model_is_as_well_calibrated_as_one_that_is_not():
    found = made(seldom, recipe=SMOTE)

    assert found.is_resampled
    assert "distorted_probabilities" not in codes(found)
    assert found.scorer.probabilities(np.array([[0.2]], np.float32))[0] < 0.05


def test_resampled_model_that_nothing_calibrates_says_that_its_probabilities_are_off():
    found = made(seldom, recipe=replace(SMOTE, calibrate=False))

    assert codes(found)[0] == "distorted_probabilities"
    assert "44% were positive, in the data it is 10.3%" in found.notices[0].message


def test_model_that_was_to_be_resampled_without_need_says_that_it_was_not():
    found = made(lambda values: (values > 0.5).astype(np.int8), recipe=replace(SMOTE, calibrate=False))

    assert "not_resampled" in codes(found)
    assert "distorted_probabilities" not in codes(found)


def one_rare_row(values):
    return np.isin(np.arange(len(values)), [5, 700, 720, 740, 900]).astype(np.int8)


def test_model_that_cannot_be_resampled_fails_the_job_with_what_to_do():
    with pytest.raises(JobFailed, match=r"positive ones among the 640 rows to fit on: 1: .* or on_resample_error skip"):
        made(one_rare_row, recipe=SMOTE)


def test_model_that_cannot_be_resampled_and_need_not_is_fitted_as_it_is(monkeypatch):
    seen = watch_what_is_fitted(monkeypatch)
    values = np.random.default_rng(2).random(1000)
    data = dataset(np.where(one_rare_row(values), 2, values), one_rare_row(values))
    recipe = replace(SMOTE, on_resample_error="skip", parameters={"n_estimators": 10, "min_child_weight": 0})

    found = make_model(data, divide(data, test_size=0.2, horizon_us=0), recipe)

    assert [len(answers) for _, answers in seen] == [640]
    assert "resampling_skipped" in codes(found)


def test_alert_threshold_when_rows_without_an_answer_come_then_only_those_of_the_calibrating_time_count():
    values = np.random.default_rng(2).random(1000)
    answers = (np.random.default_rng(3).random(1000) < values).astype(np.int8)
    recipe = replace(RECIPE, alerts_per_day=700.0)
    horizon = 20
    split = divide(dataset(values, answers), test_size=0.2, horizon_us=horizon * MINUTE)
    first = (split.calibration_us - START) // MINUTE + 1
    last = (split.holdout_us - START) // MINUTE - horizon

    def alert(*minutes):
        others = unanswered(np.full(500, 0.99), minutes=np.resize(minutes, 500), change_pct=np.zeros(500))
        data = dataset(values, answers, others=others)
        return make_model(data, divide(data, test_size=0.2, horizon_us=horizon * MINUTE), recipe)

    alone = make_model(dataset(values, answers), split, recipe)
    elsewhere = alert(0, first - 1, last + 1, last + horizon, last + horizon + 1, 999)
    inside, edges = alert((first + last) // 2), alert(first, last)

    assert elsewhere.alert_threshold == alone.alert_threshold
    assert inside.alert_threshold == edges.alert_threshold > alone.alert_threshold
    assert inside.decision_threshold == alone.decision_threshold
    assert "many_alerts" in [notice.code for notice in inside.notices]
