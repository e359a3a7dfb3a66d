"""Kinds of models: each is one file; what is taken, what is refused, and how it is said."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import Invalid
from tests.support import logistic
from training_service.ml.model_types import MODEL_TYPES, find_kind, resolve_parameters

ROOT = Path(__file__).parents[2]

TRAINS_WITH_IT = """
import sys
import numpy as np
from tests.support.datasets import dataset
from training_service.ml.divide import divide
from training_service.ml.model import Recipe, make_model
from training_service.ml.model_types import MODEL_TYPES, resolve_parameters

print(__file__, sys.modules["training_service"].__file__)
values = np.random.default_rng(2).normal(size=1000)
data = dataset(np.where(values > 2, np.nan, values), (values > 0.7).astype(np.int8))
recipe = Recipe(
    model_type="logistic", parameters=resolve_parameters("logistic", {"C": 5}), random_state=1, calibrate=True,
    alerts_per_day=None,
)
made = make_model(data, divide(data, test_size=0.2, horizon_us=0), recipe)
probabilities = made.scorer.probabilities(np.array([[-2], [0], [2], [np.nan]], np.float32))
print(*MODEL_TYPES, *probabilities, made.parity < 1e-5)
"""


def test_a_kind_that_is_put_in_as_one_file_can_be_trained_and_served(tmp_path):
    package = tmp_path / "training_service"
    shutil.copytree(ROOT / "training_service", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(logistic.__file__, package / "ml" / "model_types")
    (tmp_path / "trains.py").write_text(TRAINS_WITH_IT)

    done = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "trains.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stderr == ""
    where, found = done.stdout.splitlines()
    assert where.count(str(tmp_path)) == 2
    *names, low, middle, high, missing, exported = found.split()
    assert names == ["logistic", "random_forest", "xgboost"]
    assert float(low) < float(middle) < float(high)
    assert float(missing) == float(middle)
    assert exported == "True"


def test_the_api_when_it_starts_loads_none_of_the_libraries_that_fit():
    code = (
        "import sys, training_service.app, training_service.ml.space;"
        "print([name for name in ('sklearn', 'xgboost', 'imblearn', 'optuna', 'scipy') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_an_unknown_kind_is_refused_with_all_there_are():
    with pytest.raises(
        Invalid, match=r"no model type 'xgbost': it is one of random_forest, xgboost; did you mean xgb"
    ) as refusal:
        find_kind("xgbost")

    assert refusal.value.pointer == "/model_type"


@pytest.mark.parametrize("model_type", list(MODEL_TYPES))
def test_defaults_are_allowed_values_themselves(model_type):
    defaults = MODEL_TYPES[model_type].defaults

    assert resolve_parameters(model_type, defaults) == defaults


def test_parameters_when_some_are_asked_for_keep_the_other_defaults():
    resolved = resolve_parameters("random_forest", {"n_estimators": 7, "max_features": 1})

    assert resolved["n_estimators"] == 7
    assert (resolved["max_depth"], resolved["max_samples"]) == (10, 0.2)
    # The integer 1 means one feature to scikit-learn, a share of 1 all of them.
    assert isinstance(resolved["max_features"], float)


@pytest.mark.parametrize(
    ("model_type", "name", "value", "told"),
    [
        ("random_forest", "n_estimators", 0, "an integer from 1 to 1000"),
        ("random_forest", "n_estimators", 10.5, "an integer from 1 to 1000"),
        ("random_forest", "n_estimators", True, "an integer from 1 to 1000"),
        ("random_forest", "max_depth", None, "an integer from 1 to 24"),
        ("random_forest", "max_features", "auto", "a number above 0 and up to 1 or one of sqrt, log2 or null"),
        ("xgboost", "learning_rate", float("nan"), "a number from 0.0001 to 1"),
        ("xgboost", "subsample", 0, "a number above 0 and up to 1"),
        ("xgboost", "max_depth", 10**400, "an integer from 1 to 16"),
        ("xgboost", "gamma", [1], "a number from 0"),
    ],
)
def test_an_impossible_value_is_refused_with_what_is_allowed(model_type, name, value, told):
    with pytest.raises(Invalid, match=f"{name} of {model_type} must be {told}") as refusal:
        resolve_parameters(model_type, {name: value})

    assert refusal.value.pointer == f"/params/{name}"


def test_an_unknown_name_is_refused_with_the_near_one():
    with pytest.raises(Invalid, match=r"xgboost has no hyper-parameter 'learningrate'; did you mean learning_rate\?"):
        resolve_parameters("xgboost", {"learningrate": 0.1})


@pytest.mark.parametrize("name", ["a/b~c", "\ud800", "x" * 10_000])
def test_an_unknown_name_of_any_shape_gives_a_pointer_that_can_be_sent(name):
    with pytest.raises(Invalid) as refusal:
        resolve_parameters("xgboost", {name: 1})

    assert refusal.value.pointer is not None
    refusal.value.pointer.encode()
    refusal.value.message.encode()
