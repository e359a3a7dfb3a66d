"""Fields of the form: each shows the draft's value until somebody changes it, and what is wrong below it."""

from collections.abc import Iterable
from typing import Any, Final

import streamlit as st

from streamlit_ui.app_pages.training_draft import Draft
from streamlit_ui.app_pages.training_faults import words
from streamlit_ui.app_pages.training_words import usual_name
from streamlit_ui.client.transport import Fault

_DRAFT: Final = "training_draft"
_PREFIX: Final = "train_"
_GENERATION: Final = "training_generation"
_SLOTS: Final = "training_slots"


def kept() -> Draft | None:
    """Give the draft of this session."""
    found: Draft | None = st.session_state.get(_DRAFT)
    return found


def keep_draft(draft: Draft) -> None:
    """Remember what the form shows."""
    st.session_state[_DRAFT] = draft


def fill(draft: Draft) -> None:
    """Let the form show another draft; only before its fields are drawn, as in a callback."""
    keep_draft(draft)
    st.session_state[_GENERATION] = st.session_state.get(_GENERATION, 0) + 1


def change(**values: Any) -> None:
    """Let the form show other values and a name that goes with them; only before its fields are drawn."""
    draft = kept()
    if draft is None:
        return
    is_usual = draft.wanted.name in {"", usual_name(draft.wanted)}
    draft = draft.changed(**values)
    fill(draft.changed(name=usual_name(draft.wanted)) if is_usual else draft)


def key(name: str) -> str:
    """Give the key of a field; after `fill` all fields are new ones.

    A field gets its value as its default, each time: what is set by its key alone is lost where the browser is slow.
    """
    return f"{_PREFIX}{name}_{st.session_state.get(_GENERATION, 0)}"


def begin_slots() -> None:
    """Forget the places of faults of the run before."""
    st.session_state[_SLOTS] = {}


def slot(*names: str) -> None:
    """Leave room for what is wrong with some fields of the request."""
    place = st.empty()
    for name in names:
        st.session_state[_SLOTS][name] = place


def show_faults(faults: Iterable[Fault]) -> list[Fault]:
    """Show each fault below its field; give those that have no field."""
    slots, left = st.session_state[_SLOTS], []
    told: dict[int, tuple[Any, list[str]]] = {}
    for fault in faults:
        place = slots.get(fault.pointer.split("/")[1] if fault.pointer.startswith("/") else "")
        if place is None:
            left.append(fault)
            continue
        told.setdefault(id(place), (place, []))[1].append(words(fault))
    for place, details in told.values():
        place.error("  \n".join(details), icon=":material/error:")
    return left
