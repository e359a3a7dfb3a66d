"""Moments and days that an address names; what no service could hold is nonsense, and passed over."""

from datetime import date, datetime
from typing import Final

import streamlit as st

from streamlit_ui.address import keep, told
from streamlit_ui.session import zone

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100
"""A calendar must end somewhere."""


def told_moment(name: str) -> datetime | None:
    """Give a moment; one without an offset is on the session's clock."""
    try:
        found = datetime.fromisoformat(told(name) or "")
    except ValueError:
        return None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone())


def pick_moment(name: str, label: str, *, step_seconds: int) -> datetime | None:
    """Ask for a moment on the session's clock; the address holds it with its offset, and decides."""
    key, known, clock = f"pick_{name}", told_moment(name), zone()
    st.session_state[key] = known.astimezone(clock).replace(tzinfo=None) if known else None

    def changed() -> None:
        chosen: datetime | None = st.session_state[key]
        keep(name, chosen.replace(tzinfo=clock).isoformat() if chosen else None)

    st.datetime_input(
        label, value=None, min_value=datetime(FIRST_YEAR, 1, 1), max_value=datetime(LAST_YEAR, 12, 31),  # noqa: DTZ001
        step=step_seconds, key=key, on_change=changed, format="YYYY-MM-DD",
    )  # fmt: skip
    return known


def told_day(name: str) -> date | None:
    """Give a day."""
    try:
        found = date.fromisoformat(told(name) or "")
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None
