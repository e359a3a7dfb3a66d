"""Hyper-parameters: what is taken, what is refused, and how it is said."""

import pytest

from shared.errors import Invalid
from training_service.ml.model_types import MODEL_TYPES, resolve_parameters


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
