"""Tabs of which only the open one is drawn, and which the address names."""

from collections.abc import Callable, Mapping

from streamlit_ui import address
from streamlit_ui.states import guarded


def tabbed(name: str, tabs: Mapping[str, tuple[str, Callable[[], None]]]) -> None:
    """Draw the open one of `tabs`: value in the address → (label, what draws it)."""
    opened, place = address.tabs(list(tabs), name=name, words=lambda one: tabs[one][0])
    with place, guarded():
        tabs[opened][1]()
