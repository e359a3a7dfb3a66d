"""The kind of model, its hyper-parameters, and where to search for better ones."""

import json
import re
from typing import Any, Final

import streamlit as st

from shared.contracts.jobs import ModelTypeInfo, ParameterInfo
from shared.contracts.model_request import Choices, Range, TuneModel
from streamlit_ui.app_pages import catalogue as terms
from streamlit_ui.app_pages.training_catalogue import Catalogue
from streamlit_ui.app_pages.training_fields import key, slot
from streamlit_ui.formats import plain
from streamlit_ui.session import t

MOST_TRIALS: Final = 500
_BOUNDS = re.compile(r"from ([\d.e+-]+) to ([\d.e+-]+)")
_ONE_OF = re.compile(r"^one of (.+)$")
_WHOLE = "an integer"


def model_type(wanted: TuneModel, catalogue: Catalogue) -> str:
    """Draw the choice of the kind of model."""
    titles = {one.name: terms.title(one) for one in catalogue.model_types.model_types}
    present = wanted.model_type if wanted.model_type in titles else next(iter(titles))
    chosen = st.segmented_control(
        t("train.model_type"), list(titles), format_func=lambda one: plain(titles[one]), required=True,
        key=key("model_type"), default=present,
    )  # fmt: skip
    found = catalogue.model_type(chosen or present)
    st.caption(plain(terms.about(found)))
    slot("model_type")
    return found.name


def parameters(wanted: TuneModel, kind: ModelTypeInfo) -> dict[str, Any]:
    """Draw the hyper-parameters; only those that are not as usual belong to the request."""
    values: dict[str, Any] = {}
    with st.grid(3, min_column_width=150):
        for one in kind.parameters:
            usual = kind.default_params.get(one.name, one.default)
            given = _parameter(kind.name, one, wanted.params.get(one.name, usual), usual)
            if given != usual or type(given) is bool:
                values[one.name] = given
    slot("params")
    return values


def _parameter(kind: str, one: ParameterInfo, present: Any, usual: Any) -> Any:
    field = f"param_{kind}_{one.name}"
    words = t(
        "train.param_help",
        meaning=plain(terms.parameter(one)),
        allowed=plain(terms.allowed(one)),
        usual=plain(json.dumps(usual)),
    )
    choices = _choices(one)
    if choices:
        options = choices if present in choices else [*choices, present]
        return st.selectbox(
            plain(one.name), options, key=key(field), index=options.index(present), help=words, format_func=_value_words
        )
    low, high = _bounds(one)
    if one.allowed.startswith(_WHOLE) and isinstance(present, int) and low is not None and high is not None:
        return st.number_input(
            plain(one.name), min_value=min(int(low), present), max_value=max(int(high), present), step=1,
            key=key(field), value=present, help=words,
        )  # fmt: skip
    # Text, as some are a number or a word or null.
    text = st.text_input(plain(one.name), _value_words(present), key=key(field), help=words)
    return _value(text)


def _choices(one: ParameterInfo) -> list[Any]:
    found = _ONE_OF.match(one.allowed)
    if not found:
        return []
    return [_value(word) for word in re.split(r", | or ", found.group(1))]


def _bounds(one: ParameterInfo) -> tuple[float | None, float | None]:
    found = _BOUNDS.search(one.allowed)
    return (float(found.group(1)), float(found.group(2))) if found else (None, None)


def _value(text: str) -> Any:
    text = text.strip()
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if found is None or isinstance(found, int | float) else text


def _value_words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def search(wanted: TuneModel, kind: ModelTypeInfo) -> dict[str, Any]:
    """Draw how long and where to search."""
    trials = st.number_input(
        t("train.trials"), min_value=1, max_value=MOST_TRIALS, step=5, key=key("trials"), value=wanted.trials,
        width=200, help=t("train.trials_help"),
    )  # fmt: skip
    slot("trials")
    known = {one.name: one for one in kind.parameters}
    present = [one for one in wanted.search_space if one in known]
    chosen = st.multiselect(
        t("train.space"), list(known), key=key(f"space_{kind.name}"), default=present,
        placeholder=t("train.space_usual"), help=t("train.space_help"),
    )  # fmt: skip
    space = {name: _part(kind.name, known[name], wanted.search_space.get(name)) for name in chosen}
    slot("search_space")
    return {"trials": trials, "search_space": space}


def _part(kind: str, one: ParameterInfo, present: Any) -> Range | Choices:
    field = f"space_{kind}_{one.name}"
    choices = _choices(one)
    low, high = _bounds(one)
    if choices or not isinstance(one.default, int | float):
        usual = present.choices if isinstance(present, Choices) else choices
        text = st.text_input(
            t("train.space_choices", name=plain(one.name)), help=plain(terms.allowed(one)),
            placeholder="0.2, 0.5, sqrt, null",
            key=key(field), value=", ".join(_value_words(value) for value in usual),
        )  # fmt: skip
        return Choices.model_construct(choices=[_value(word) for word in text.split(",") if word.strip()])
    is_known = isinstance(present, Range)
    usual_low, usual_high = _usual_range(one, low, high)
    step = 1.0 if one.allowed.startswith(_WHOLE) else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        bottom = st.number_input(
            t("train.space_low", name=plain(one.name)), format="%.10g", step=step, width=190,
            help=plain(terms.allowed(one)),
            key=key(f"{field}_low"), value=float(present.low if is_known else usual_low),
        )  # fmt: skip
        top = st.number_input(
            t("train.space_high"), format="%.10g", step=step, width=150,
            key=key(f"{field}_high"), value=float(present.high if is_known else usual_high),
        )  # fmt: skip
        log = st.toggle(t("train.space_log"), key=key(f"{field}_log"), value=present.log if is_known else False)
    return Range.model_construct(low=bottom, high=top, log=log)


def _usual_range(one: ParameterInfo, low: float | None, high: float | None) -> tuple[float, float]:
    bottom, top = max(one.default / 2, low or 0.0), one.default * 2 or 1.0
    if one.allowed.startswith(_WHOLE):
        bottom, top = float(max(1, int(bottom))), float(int(top))
    elif high is None:
        # "above 0 and up to 1"
        top = min(top, 1.0)
    return bottom, min(top, high) if high is not None else top
