"""What a view is, said by its address: choices that outlive a reload and can be sent to somebody else.

Streamlit binds a widget to the address by what it shows, which differs between languages: these say the value itself.
"""

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

    `widget` is st.selectbox, st.radio, st.segmented_control or st.pills.
    """
    known = {str(option): option for option in options}
    first = options[0]
    start = known.get(told(name) or "", first)
    if widget in {st.segmented_control, st.pills}:
        value: Option = widget(
            label, options, default=start, format_func=words, key=f"pick_{name}", required=True, **options_of_widget
        )
    else:
        value = widget(
            label, options, index=list(options).index(start), format_func=words, key=f"pick_{name}", **options_of_widget
        )
    keep(name, value, first)
    return value
