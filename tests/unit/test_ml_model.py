"""Making a model: what is done that nobody asked for is told."""

import numpy as np
import pytest

from shared.errors import JobFailed
from tests.support.datasets import dataset
from training_service.ml.model import Recipe, divide, make_model

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
    model = made(turned_round)

    assert model.calibration.method == "none"
    assert "not_calibrated" in [notice.code for notice in model.notices]


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
