"""Search: it finds what is good, tells each trial, and goes on where it was broken off."""

import json
from dataclasses import replace

import numpy as np
import pytest

from shared.errors import Invalid, JobFailed
from tests.support.datasets import dataset
from training_service.ml import search as searching
from training_service.ml.crossval import cross_validate
from training_service.ml.fit import fit_model
from training_service.ml.model import Recipe
from training_service.ml.model_types import resolve_parameters
from training_service.ml.search import search

ROWS = np.arange(900)
SPACE = {"max_depth": {"low": 1, "high": 6}, "learning_rate": {"low": 0.001, "high": 0.5, "log": True}}
RECIPE = Recipe(
    model_type="xgboost",
    parameters=resolve_parameters("xgboost", {"n_estimators": 8, "min_child_weight": 0}),
    random_state=2,
    calibrate=True,
    alerts_per_day=None,
)


def data():
    """A wave that a stump cannot follow."""
    values = np.random.default_rng(3).random(900)
    noise = np.random.default_rng(4).normal(0, 0.3, 900)
    return dataset(values, (np.sin(values * 20) + noise > 0.8).astype(np.int8))


def run(*, trials, done=(), recipe=RECIPE, space=SPACE, rows=None):
    told = []
    found = search(
        data() if rows is None else rows, ROWS, recipe,
        space=space, trials=trials, done=done, folds=3, horizon_us=0, tell=told.append,
    )  # fmt: skip
    return found, told


def without_times(trials):
    return [{name: value for name, value in trial.items() if name != "seconds"} for trial in trials]


def test_search_gives_the_hyper_parameters_of_the_trial_with_the_highest_mean_average_precision():
    found, told = run(trials=12)

    assert list(found.trials) == told
    assert [trial["number"] for trial in told] == list(range(12))
    best = max((trial for trial in told if trial["state"] == "COMPLETED"), key=lambda trial: trial["value"])
    assert found.value == best["value"] == pytest.approx(np.mean(best["folds"]), abs=1e-12)
    assert found.parameters == {**RECIPE.parameters, **best["params"]}
    assert found.parameters["max_depth"] > 1
    assert found.parameters["n_estimators"] == 8
    validated = cross_validate(data(), ROWS, replace(RECIPE, parameters=found.parameters), folds=3, horizon_us=0)
    assert validated.scores["test_average_precision"] == best["folds"]


def test_first_trial_is_what_was_asked_for_so_that_the_best_is_no_worse():
    found, told = run(trials=3)

    assert told[0]["params"] == {"learning_rate": 0.1, "max_depth": 6}
    assert found.value >= told[0]["value"]


def test_first_trial_when_what_was_asked_for_lies_outside_of_the_space_is_drawn_from_it():
    _, told = run(trials=1, space={"max_depth": {"low": 1, "high": 3}})

    assert 1 <= told[0]["params"]["max_depth"] <= 3


def test_trials_that_fall_behind_the_median_are_given_up():
    _, told = run(trials=16)

    pruned = [trial for trial in told if trial["state"] == "PRUNED"]
    assert pruned
    assert {len(trial["folds"]) for trial in pruned} == {2}
    assert all(trial["value"] == pytest.approx(np.mean(trial["folds"]), abs=1e-12) for trial in pruned)


@pytest.mark.parametrize("broken_off", [1, 7, 14])
def test_search_that_was_broken_off_goes_on_as_if_it_had_not_been(broken_off):
    whole, _ = run(trials=15)
    stored = json.loads(json.dumps(whole.trials[:broken_off]))

    found, told = run(trials=15, done=stored)

    assert [trial["number"] for trial in told] == list(range(broken_off, 15))
    assert without_times(found.trials) == without_times(whole.trials)
    assert found.parameters == whole.parameters


def test_search_of_which_all_trials_are_done_gives_the_best_of_them():
    whole, _ = run(trials=4)

    found, told = run(trials=4, done=whole.trials)

    assert told == []
    assert (found.parameters, found.value) == (whole.parameters, whole.value)


def test_search_with_another_state_draws_other_trials():
    first, second = (run(trials=4, recipe=replace(RECIPE, random_state=state))[0].trials for state in (2, 3))

    assert [trial["params"] for trial in first[1:]] != [trial["params"] for trial in second[1:]]


def test_search_of_an_empty_space_takes_that_of_the_kind():
    found, _ = run(trials=2, space={})

    assert set(found.trials[1]["params"]) == {
        "n_estimators", "max_depth", "learning_rate", "subsample", "colsample_bytree", "min_child_weight", "reg_lambda",
    }  # fmt: skip


def test_search_of_a_forest_chooses_among_words_and_numbers_and_goes_on_from_them():
    space = {"max_features": {"choices": ["sqrt", 0.5, None]}, "n_estimators": {"low": 3, "high": 6}}
    recipe = replace(RECIPE, model_type="random_forest", parameters=resolve_parameters("random_forest", {}))
    whole, _ = run(trials=14, recipe=recipe, space=space)

    found, _ = run(trials=14, recipe=recipe, space=space, done=json.loads(json.dumps(whole.trials[:12])))

    assert without_times(found.trials) == without_times(whole.trials)
    assert len({trial["params"]["max_features"] for trial in whole.trials}) == 3


def test_trials_of_other_ranges_count_and_may_win_but_teach_nothing():
    done = [
        {"number": 0, "state": "COMPLETED", "value": 0.99, "params": {"max_depth": 16}, "seconds": 1.0, "folds": [0.99]}
    ]

    found, told = run(trials=3, done=done)

    assert [trial["number"] for trial in told] == [1, 2]
    assert found.parameters["max_depth"] == 16


def test_trial_that_cannot_be_fitted_is_told_and_the_search_goes_on(monkeypatch):
    def deep_ones_fail(features, answers, *, parameters, **how):
        if parameters["max_depth"] > 3:
            raise ValueError("too deep")
        return fit_model(features, answers, parameters=parameters, **how)

    monkeypatch.setattr(searching, "fit_model", deep_ones_fail)

    found, told = run(trials=10)

    failed = [trial for trial in told if trial["state"] == "FAILED"]
    assert failed
    assert all((trial["error"], trial["value"]) == ("too deep", None) for trial in failed)
    assert found.parameters["max_depth"] <= 3
    whole = without_times(found.trials)
    assert without_times(run(trials=10, done=json.loads(json.dumps(found.trials[:6])))[0].trials) == whole


def test_search_without_a_trial_that_ends_with_a_value_fails_the_job_and_says_why(monkeypatch):
    def never(*_args, **_how):
        raise ValueError("it is no use")

    monkeypatch.setattr(searching, "fit_model", never)

    with pytest.raises(JobFailed, match="none of the 2 trials ended with a value; the last one: it is no use; choose"):
        run(trials=2)


def test_search_without_a_fold_to_measure_on_fails_the_job_before_any_trial():
    answers = (np.arange(900) < 10).astype(np.int8)

    with pytest.raises(JobFailed, match="no fold of the cross-validation holds both answers before and a positive one"):
        run(trials=5, rows=dataset(np.arange(900), answers))


def test_search_with_resampling_measures_what_cross_validation_with_resampling_does():
    recipe = replace(RECIPE, use_smote=True)

    found, told = run(trials=1, recipe=recipe)

    validated = cross_validate(data(), ROWS, replace(recipe, parameters=found.parameters), folds=3, horizon_us=0)
    assert told[0]["folds"] == validated.scores["test_average_precision"]
    assert told[0]["folds"] != run(trials=1)[1][0]["folds"]


def test_search_space_that_cannot_be_meant_is_refused():
    with pytest.raises(Invalid, match="max_depth of xgboost must lie within"):
        run(trials=1, space={"max_depth": {"low": 0, "high": 3}})
