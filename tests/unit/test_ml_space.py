"""Search spaces: what is taken, what is refused and how it is said."""

import pytest

from shared.errors import Invalid
from training_service.ml.model_types import MODEL_TYPES, Range
from training_service.ml.space import check_space, resolve_space


def test_space_as_it_comes_from_json_gets_the_types_of_its_hyper_parameters():
    found = resolve_space(
        "xgboost",
        {
            "max_depth": {"low": 2.0, "high": 8.0, "log": False},
            "learning_rate": {"low": 0.01, "high": 1, "log": True},
            "n_estimators": {"choices": [50, 100.0]},
        },
    )

    assert found == {
        "learning_rate": Range(low=0.01, high=1.0, log=True),
        "max_depth": Range(low=2, high=8),
        "n_estimators": Range(choices=(50, 100)),
    }
    assert {type(found["max_depth"].low), *map(type, found["n_estimators"].choices)} == {int}
    assert type(found["learning_rate"].high) is float


def test_space_may_choose_among_numbers_and_words():
    space = {"max_features": {"choices": ["sqrt", 0.5, 1, None]}}

    assert resolve_space("random_forest", space)["max_features"].choices == ("sqrt", 0.5, 1.0, None)


@pytest.mark.parametrize("model_type", list(MODEL_TYPES))
def test_empty_space_means_that_of_the_kind_which_lies_within_what_it_allows(model_type):
    found = resolve_space(model_type, {})

    assert len(found) >= 4
    for name, span in found.items():
        ends = span.choices or (span.low, span.high)
        assert all(MODEL_TYPES[model_type].parameters[name].accepts(end) for end in ends)
        assert span.holds(MODEL_TYPES[model_type].defaults[name])


@pytest.mark.parametrize(
    ("name", "asked", "told"),
    [
        ("depth", {"low": 1, "high": 2}, r"xgboost has no hyper-parameter 'depth'; did you mean max_depth\?"),
        ("max_depth", {"low": 1, "high": 17}, "must lie within what is allowed: an integer from 1 to 16"),
        ("max_depth", {"low": 1.5, "high": 4}, "must lie within what is allowed: an integer from 1 to 16"),
        ("max_depth", {"low": float("nan"), "high": 4}, "must lie within what is allowed"),
        ("max_depth", {"low": 1, "high": float("inf")}, "must lie within what is allowed"),
        ("max_depth", {"low": True, "high": 4}, "must lie within what is allowed"),
        ("max_depth", {"low": "1", "high": 4}, "must lie within what is allowed"),
        ("max_depth", {"low": 4, "high": 4}, "needs a low below its high"),
        ("subsample", {"low": 0, "high": 1}, "must lie within what is allowed: a number above 0 and up to 1"),
        ("gamma", {"low": 0, "high": 1, "log": True}, "needs a low above 0 when log is true"),
        ("gamma", {"low": 0, "high": 1, "log": "yes"}, "needs log true or false"),
        ("gamma", {"low": 0}, "needs low and high, or choices; gamma is a number from 0"),
        ("gamma", {}, "needs low and high, or choices"),
        ("gamma", {"low": 0, "high": 1, "step": 1}, "needs low and high, or choices"),
        ("gamma", {"low": 0, "high": 1, "choices": [1]}, "needs low and high, or choices"),
        ("max_depth", {"choices": []}, "needs at least one choice"),
        ("max_depth", {"choices": [3, 99]}, "can only choose what is an integer from 1 to 16"),
        ("max_depth", {"choices": [3, [4]]}, "can only choose what is"),
        ("max_depth", {"choices": [3, 3.0]}, r"names 3\.0 twice"),
    ],
)
def test_impossible_range_is_refused_with_what_is_allowed(name, asked, told):
    with pytest.raises(Invalid, match=told) as refusal:
        check_space("xgboost", {name: asked})

    assert refusal.value.pointer == f"/search_space/{name}"


def test_bounds_for_a_hyper_parameter_of_words_are_refused():
    with pytest.raises(Invalid, match="criterion of random_forest needs choices, each one of gini, entropy, log_loss"):
        check_space("random_forest", {"criterion": {"low": 1, "high": 2}})


def test_space_of_an_unknown_kind_is_refused_by_the_kind():
    with pytest.raises(Invalid, match="no model type 'forest'") as refusal:
        check_space("forest", {})

    assert refusal.value.pointer == "/model_type"
