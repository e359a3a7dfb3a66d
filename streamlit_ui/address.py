"""What a view is, said by its address: choices that outlive a reload and can be sent to somebody else.

Streamlit binds a widget to the address by what it shows, which differs between languages: these say the value itself.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import streamlit as st

Option = TypeVar("Option")


def told(name: str) -> str | None:
    """Give what the address says."""
    return st.query_params.get(name) or None


def told_id(name: str = "id") -> int | None:
    """Give the id the address names; None where there is none, or nonsense."""
    text = told(name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None  # noqa: PLR2004


def told_number(name: str) -> float | None:
    """Give the number the address names; None where there is none, or nonsense."""
    try:
        value = float(told(name) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def keep(name: str, value: Any, default: Any = None) -> None:
    """Write a choice into the address; the usual one is left out."""
    if value in (None, "", default):
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != str(value):
        st.query_params[name] = str(value)


def select(
    label: str, options: Sequence[Option], *, name: str, words: Callable[[Option], str] = str,
    widget: Callable[..., Any] = st.selectbox, **options_of_widget: Any,
) -> Option:  # fmt: skip
    """Draw a choice of one whose value stands in the address as `name`; the first option is the usual one.

    `widget` is st.selectbox, st.radio, st.segmented_control or st.pills. The address decides: a link changes it.
    """
    key, first = f"pick_{name}", options[0]
    known = {str(option): option for option in options}
    st.session_state[key] = known.get(told(name) or "", first)
    if widget in {st.segmented_control, st.pills}:
        options_of_widget["required"] = True
    value: Option = widget(
        label, options, format_func=words, key=key, on_change=_keep_choice, args=(name, first), **options_of_widget
    )
    keep(name, value, first)
    return value


def tabs(names: Sequence[str], *, name: str = "tab", words: Callable[[str], str]) -> tuple[str, Any]:
    """Draw tabs, one of them open as the address says; give its name and where to draw: the others cost nothing."""
    key, labels = f"tabs_{name}", {words(one): one for one in names}
    chosen = told(name)
    st.session_state[key] = words(chosen if chosen is not None and chosen in names else names[0])
    drawn = st.tabs(list(labels), key=key, on_change=_keep_tab, args=(name, labels, names[0]))
    opened = labels[st.session_state[key]]
    keep(name, opened, names[0])
    return opened, drawn[list(names).index(opened)]


def _keep_choice(name: str, usual: Any) -> None:
    keep(name, st.session_state.get(f"pick_{name}"), usual)


def _keep_tab(name: str, labels: dict[str, str], usual: str) -> None:
    keep(name, labels[st.session_state[f"tabs_{name}"]], usual)
