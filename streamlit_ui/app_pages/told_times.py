"""Moments and days that an address names; what no service could hold is nonsense, and passed over."""

from datetime import date, datetime
from typing import Final

from streamlit_ui.address import told
from streamlit_ui.session import zone

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100


def told_moment(name: str) -> datetime | None:
    """Give a moment on the session's clock; one without a zone is on that clock already."""
    try:
        found = datetime.fromisoformat(told(name) or "")
    except ValueError:
        return None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return None
    return found.astimezone(zone()) if found.tzinfo else found.replace(tzinfo=zone())


def told_day(name: str) -> date | None:
    """Give a day."""
    try:
        found = date.fromisoformat(told(name) or "")
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None
