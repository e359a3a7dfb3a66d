"""Where a search for hyper-parameters looks: what is asked for, checked against what the kind of model allows."""

from collections.abc import Mapping
from typing import Any

from shared.errors import Invalid
from training_service.ml.model_types import ModelType, Parameter, Range, find_kind

_KEYS = {"low", "high", "log", "choices"}


def check_space(model_type: str, space: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a search space that cannot be meant: an `Invalid` that names the hyper-parameter and what is allowed."""
    resolve_space(model_type, space)


def resolve_space(model_type: str, space: Mapping[str, Mapping[str, Any]]) -> dict[str, Range]:
    """Give the ranges to search, in order of name; an empty space means the kind's own.

    Args:
        model_type: the kind of model.
        space: for each hyper-parameter `low`, `high` and maybe `log`, or `choices`.

    Raises:
        Invalid: an unknown name, or a range outside of what is allowed.

    """
    kind = find_kind(model_type)
    found = {name: _range(kind, name, asked) for name, asked in space.items()} if space else kind.search_ranges
    # The order decides which value is drawn first, and a stored request does not keep it.
    return {name: _exact(kind.parameters[name], found[name]) for name in sorted(found)}


def _exact(parameter: Parameter, asked: Range) -> Range:
    if asked.low is None or asked.high is None:
        return Range(choices=tuple(parameter.exact(value) for value in asked.choices))
    kind = int if parameter.whole else float
    return Range(low=kind(asked.low), high=kind(asked.high), log=asked.log)


def _range(kind: ModelType, name: str, asked: Mapping[str, Any]) -> Range:
    parameter = kind.parameter(name, pointer="/search_space")
    given = {key: value for key, value in asked.items() if value is not None}
    problem = f"needs low and high, or choices; {name} is {parameter.allowed}"
    if given.keys() <= _KEYS and "choices" in given and not given.keys() & {"low", "high"}:
        problem = _problem_of_choices(parameter, given["choices"])
        if not problem:
            return Range(choices=tuple(given["choices"]))
    elif given.keys() <= _KEYS - {"choices"} and {"low", "high"} <= given.keys():
        low, high = _whole(parameter, given["low"]), _whole(parameter, given["high"])
        problem = _problem_of_bounds(parameter, low, high, log=given.get("log", False))
        if not problem:
            return Range(low=low, high=high, log=given.get("log", False))
    raise Invalid(f"the search for {name} of {kind.name} {problem}", pointer=f"/search_space/{name}")


def _problem_of_choices(parameter: Parameter, choices: Any) -> str:
    if not isinstance(choices, list | tuple) or not choices:
        return "needs at least one choice"
    for number, value in enumerate(choices):
        if not parameter.accepts(_whole(parameter, value)):
            return f"can only choose what is {parameter.allowed}"
        if value in choices[:number]:
            return f"names {value!r} twice"
    return ""


def _problem_of_bounds(parameter: Parameter, low: Any, high: Any, *, log: Any) -> str:
    if parameter.numbers is None:
        return f"needs choices, each {parameter.allowed}"
    if not (parameter.accepts_number(low) and parameter.accepts_number(high)):
        return f"must lie within what is allowed: {parameter.numbers}"
    if low >= high:
        return "needs a low below its high"
    if not isinstance(log, bool):
        return "needs log true or false"
    if log and low <= 0:
        return "needs a low above 0 when log is true"
    return ""


def _whole(parameter: Parameter, value: Any) -> Any:
    # JSON knows one kind of number: 3.0 is as good an integer as 3.
    return int(value) if parameter.whole and isinstance(value, float) and value.is_integer() else value
