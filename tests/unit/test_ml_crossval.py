"""Cross-validation: folds in time, told as they come, resampled only where they learn."""

from dataclasses import replace

import numpy as np
import pytest

from shared.errors import JobFailed
from tests.support.datasets import dataset
from tests.support.market_rows import MINUTE, START
from training_service.ml import crossval
from training_service.ml.crossval import cross_validate
from training_service.ml.fit import fit_model
from training_service.ml.model import Recipe

RECIPE = Recipe(
    model_type="xgboost",
    parameters={"n_estimators": 5, "max_depth": 2},
    random_state=1,
    calibrate=True,
    alerts_per_day=None,
)
ROWS = np.arange(600)


def data(*, share=0.4, noise=0.2):
    random = np.random.default_rng(3)
    values = random.random(600)
    return dataset(values, (values + random.normal(0, noise, 600) > 1 - share).astype(np.int8))


def test_each_fold_is_told_with_its_times_rows_and_scores_as_soon_as_it_is_there():
    told, counts = [], []

    def tell(fold):
        told.append(fold)
        counts.append(len(told))

    found = cross_validate(data(), ROWS, RECIPE, folds=5, horizon_us=10 * MINUTE, tell=tell)

    assert counts == [1, 2, 3, 4, 5]
    assert [fold["fold"] for fold in told] == [1, 2, 3, 4, 5]
    assert {fold["folds"] for fold in told} == {5}
    second = told[1]
    assert (second["train_rows"], second["test_rows"], second["purged"]) == (190, 100, 10)
    # The 200th minute is the last that is known; ten before it, a label still reaches into what follows.
    assert (START, MINUTE) == (1_757_106_000_000_000, 60_000_000)
    assert (second["train_start"], second["train_end"]) == ("2025-09-05T21:00:00Z", "2025-09-06T00:09:00Z")
    assert (second["test_start"], second["test_end"]) == ("2025-09-06T00:20:00Z", "2025-09-06T01:59:00Z")
    assert found.scores["test_average_precision"] == [fold["test_average_precision"] for fold in told]
    assert found.scores["train_rows"] == [90, 190, 290, 390, 490]
    for side in ("train", "test"):
        for name in ("accuracy", "f1", "precision", "recall", "average_precision"):
            assert all(0 <= fold[f"{side}_{name}"] <= 1 for fold in told)


def test_gap_is_what_the_folds_got_wrong_beyond_what_they_had_learnt():
    easy = cross_validate(data(noise=0), ROWS, RECIPE, folds=3, horizon_us=0)
    deep = replace(RECIPE, parameters={"n_estimators": 50, "max_depth": 8, "min_child_weight": 0})
    noisy = cross_validate(data(noise=1), ROWS, deep, folds=3, horizon_us=0)

    assert easy.overfitting_gap < 0.05
    assert noisy.overfitting_gap > 0.2
    expected = np.mean(noisy.scores["train_accuracy"]) - np.mean(noisy.scores["test_accuracy"])
    assert noisy.overfitting_gap == pytest.approx(expected, abs=1e-12)


def test_folds_that_have_one_answer_to_learn_from_are_left_out():
    answers = np.zeros(600, np.int8)
    answers[250::3] = 1
    told = []

    found = cross_validate(dataset(np.arange(600), answers), ROWS, RECIPE, folds=5, horizon_us=0, tell=told.append)

    assert found.scores["folds"] == 3
    assert [(fold["fold"], fold["folds"]) for fold in told] == [(1, 3), (2, 3), (3, 3)]


def test_rows_without_a_fold_to_learn_from_give_no_cross_validation():
    answers = (np.arange(600) >= 550).astype(np.int8)

    assert cross_validate(dataset(np.arange(600), answers), ROWS, RECIPE, folds=5, horizon_us=0) is None


def test_resampling_touches_what_a_fold_learns_from_and_nothing_it_is_measured_on(monkeypatch):
    fitted, scored = [], []
    monkeypatch.setattr(
        crossval,
        "fit_model",
        lambda features, answers, **how: fitted.append(answers) or fit_model(features, answers, **how),
    )
    score = crossval._score
    monkeypatch.setattr(crossval, "_score", lambda scores, answers: scored.append(answers) or score(scores, answers))
    rare = data(share=0.1, noise=0.05)

    cross_validate(rare, ROWS, replace(RECIPE, use_smote=True), folds=3, horizon_us=0)

    assert [answers.mean() for answers in fitted] == pytest.approx([0.444] * 3, abs=0.01)
    ends = [150, 300, 450, 600]
    for number, (before, after) in enumerate(zip(scored[::2], scored[1::2], strict=True)):
        assert before.tolist() == rare.answers[: ends[number]].tolist()
        assert after.tolist() == rare.answers[ends[number] : ends[number + 1]].tolist()


@pytest.mark.parametrize("mode", ["fail", "skip"])
def test_a_fold_that_cannot_be_resampled_fails_the_job_by_name_or_is_fitted_as_it_is(mode):
    answers = np.zeros(600, np.int8)
    answers[[10, *range(150, 600, 20)]] = 1
    recipe = replace(RECIPE, use_smote=True, on_resample_error=mode)
    rows = dataset(np.arange(600), answers)

    if mode == "skip":
        assert cross_validate(rows, ROWS, recipe, folds=5, horizon_us=0).scores["folds"] == 5
    else:
        with pytest.raises(
            JobFailed, match=r"^fold 1 of 5 .* to fit on: 1: .* on_resample_error skip, or fewer cv_splits$"
        ):
            cross_validate(rows, ROWS, recipe, folds=5, horizon_us=0)
