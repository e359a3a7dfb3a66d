"""How endpoints and messages are named, what state they are in, and the way from one view of them to the next."""

from datetime import UTC, datetime
from typing import Final, NoReturn
from urllib.parse import urlsplit

import streamlit as st

from shared.contracts.deliveries import Delivery, DeliveryAttempt, DeliveryStatus
from shared.contracts.webhook import Webhook
from streamlit_ui import formats
from streamlit_ui.session import t
from streamlit_ui.states import Level

_BADGES: Final[dict[DeliveryStatus, tuple[str, str]]] = {
    "delivered": ("check_circle", "green"),
    "failed": ("error", "red"),
    "expired": ("timer_off", "orange"),
    "pending": ("hourglass_top", "blue"),
}
SIGNS: Final[dict[DeliveryStatus, str]] = {"pending": "…", "delivered": "✓", "expired": "⊘", "failed": "✗"}
"""Where a table cannot show the sign of a badge."""
LONGEST_TITLE: Final = 60
BRIEF_SECONDS: Final = 60
"""A receiver that fails for no longer than this is not called failing: the next attempt may well be taken."""
FEW_MILLISECONDS: Final = 10
_TAKEN: Final = range(200, 300)


def to_view(**query: object) -> NoReturn:
    """Show another view of this page: what its address says from now on, and nothing else."""
    kept = {name: st.query_params[name] for name in ("lang", "local") if name in st.query_params}
    st.query_params.from_dict(kept | {name: str(value) for name, value in query.items()})
    st.rerun()


def title(endpoint: Webhook) -> str:
    """Name an endpoint by where it lies."""
    place = place_of(endpoint.url)
    return f"n8n · {place}" if endpoint.is_builtin else place


def place_of(url: str) -> str:
    """Write an address shortly; what stands before the host or behind a question mark may be a key of the receiver."""
    parts = urlsplit(url)
    place = f"{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    return f"{place[: LONGEST_TITLE - 1]}…" if len(place) > LONGEST_TITLE else place


def endpoint_state(endpoint: Webhook) -> tuple[Level, str]:
    """Give how an endpoint is, in a word."""
    if not endpoint.enabled:
        return ("bad", t("delivery.was_disabled")) if endpoint.disabled_reason else ("off", t("delivery.is_off"))
    if endpoint.failing_since is not None:
        passed = (datetime.now(UTC) - endpoint.failing_since).total_seconds()
        if passed < BRIEF_SECONDS:
            return "warning", t("delivery.just_refused")
        return "bad", t("delivery.failing_for", duration=formats.duration(passed))
    if endpoint.last_success_at is None:
        return "busy", t("delivery.nothing_yet")
    return "good", t("delivery.works")


def status_words(status: DeliveryStatus) -> str:
    """Give what became of a message in a word."""
    return t(f"delivery.status_{status}")


def status_badge(status: DeliveryStatus, count: str = "", *, is_grey: bool = False) -> str:
    """Give what became of messages as Markdown: sign, colour, how many, word."""
    icon, colour = _BADGES[status]
    return f":{'gray' if is_grey else colour}-badge[:material/{icon}: {count} {status_words(status)}]"


def type_words(delivery: Delivery) -> str:
    """Give what a message tells in a word."""
    return t(f"delivery.type_{delivery.event_type.replace('.', '_')}")


def was_taken(attempt: DeliveryAttempt) -> bool:
    """Tell whether the receiver took the message."""
    return attempt.status_code in _TAKEN


def answer_words(status_code: int | None, error: str | None) -> str:
    """Give what a receiver said, or why it said nothing."""
    if status_code is not None:
        return f"HTTP {status_code}"
    return error or formats.NOTHING


def milliseconds(value: float) -> str:
    """Write how long an answer took."""
    return formats.number(value, 1 if value < FEW_MILLISECONDS else 0, "ms")


def sends_words(endpoint: Webhook) -> str:
    """Give which predictions make a message."""
    return ", ".join(t(f"delivery.mode_{mode}") for mode in endpoint.send_modes)
