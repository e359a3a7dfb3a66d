"""Tabs of which only the open one is drawn, and which the address names."""

from collections.abc import Callable, Mapping

import streamlit as st

from streamlit_ui.address import keep, told
from streamlit_ui.session import language
from streamlit_ui.states import guarded


def tabbed(name: str, tabs: Mapping[str, tuple[str, Callable[[], None]]], *, of: int | None = None) -> None:
    """Draw the open one of `tabs`: value in the address → (label, what draws it); `of`: what they are about."""
    known = list(tabs)
    start = told(name) if told(name) in tabs else known[0]
    labels = [label for label, _ in tabs.values()]
    shown = st.tabs(labels, default=tabs[start or known[0]][0], key=f"tabs_{name}_{of}_{language()}", on_change="rerun")
    for value, tab in zip(known, shown, strict=True):
        if tab.open:
            keep(name, value, known[0])
            with tab, guarded():
                tabs[value][1]()
