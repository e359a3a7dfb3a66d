"""What the training service can do and warns of, in the language of the session; its own words where it is new."""

import re

from shared.contracts.jobs import FeatureInfo, ModelTypeInfo, ParameterInfo
from shared.contracts.training import Warned
from streamlit_ui.formats import plain
from streamlit_ui.session import term

_NO_WORD = re.compile("[^a-z0-9]+")
_PHRASES = re.compile(r"\b(an integer from|a number from|a number above|and up to|one of|or|to)\b")


def unit(text: str) -> str:
    """Give the unit of a feature."""
    return _term("unit", text, text)


def meaning(feature: FeatureInfo) -> str:
    """Say what a feature is."""
    return _term("feature", feature.name, feature.meaning)


def title(kind: ModelTypeInfo) -> str:
    """Give the name of a kind of model."""
    return _term("type", kind.name, kind.title)


def about(kind: ModelTypeInfo) -> str:
    """Say what a kind of model is good for."""
    return _term("about", kind.name, kind.description)


def parameter(one: ParameterInfo) -> str:
    """Say what a hyper-parameter does."""
    return _term("param", one.name, one.meaning)


def allowed(one: ParameterInfo) -> str:
    """Say what a hyper-parameter may be."""
    return _PHRASES.sub(lambda found: _term("allowed", found[0], found[0]), one.allowed)


def warning(one: Warned) -> str:
    """Give a warning as Markdown: what it is about, and the service's sentence."""
    about_it = _term("warning", one.code, "")
    return f"**{about_it}**: {plain(one.message)}" if about_it else plain(one.message)


def _term(kind: str, name: str, otherwise: str) -> str:
    return term(f"catalogue.{kind}_{_NO_WORD.sub('_', name.lower()).strip('_')}", otherwise)
