"""Who looks at the app and how: language, clock, key, and the services asked in their name."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx2
import streamlit as st
import structlog

from shared.request_ids import current_request_id, following, new_request_id
from shared.tracing import span, traceparent
from streamlit_ui.client.transport import Service, new_client
from streamlit_ui.logins import LOGINS
from streamlit_ui.settings import app_settings
from streamlit_ui.texts import LANGUAGES, Language, table

log = structlog.get_logger(__name__)

TOKEN = "login_token"  # nosec B105 # noqa: S105 - the name of a place, not a secret
"""Where a session keeps the token of its login, never the key."""
UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Both services."""

    training: Service
    prediction: Service


def t(name: str, /, **values: Any) -> str:
    """Give the words of `page.key` in the language of the session; a key without words is a fault of ours."""
    text = table(language())[name]
    return text.format(**values) if values else text


def term(name: str, otherwise: str) -> str:
    """Give the word of `page.key` for something a service names; its own word where this app knows none."""
    return table(language()).get(name, otherwise)


def language() -> Language:
    """Give the language that was chosen, else that of UI_LANGUAGE, else the browser's, else English."""
    chosen = st.session_state.get("lang") or st.query_params.get("lang")
    return chosen if chosen in LANGUAGES else first_language()


def first_language() -> Language:
    """Give the language of somebody who has chosen none."""
    told = app_settings().ui_language or (st.context.locale or "")[:2].lower()
    return "de" if told == "de" else "en"


def zone() -> ZoneInfo:
    """Give the time zone that moments are shown in: UTC, or the browser's own."""
    if not st.session_state.get("local", st.query_params.get("local") == "true"):
        return UTC
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def is_dark() -> bool:
    """Tell whether the page is drawn in the dark theme."""
    return st.context.theme.type == "dark"


def services() -> Services:
    """Give both services, asked with the key of this session."""
    settings, http = app_settings(), _connections()
    # What runs in other threads does not know what is drawn here.
    asking: dict[str, Any] = {"request_id": current_request_id() or new_request_id(), "traceparent": traceparent()}
    key = LOGINS.key(st.session_state.get(TOKEN, "")) or settings.ui_api_key
    training = settings.training_service_api_url.rstrip("/")
    prediction = settings.api_base_url.rstrip("/")
    return Services(
        training=Service(name="training", url=training, http=http, key=key, **asking),
        prediction=Service(name="prediction", url=prediction, http=http, key=key, **asking),
    )


@contextmanager
def drawing(what: str, *, again: bool = False) -> Iterator[None]:
    """Give what is drawn or done in a block an id, which goes with all that the services are asked meanwhile.

    A part that is drawn with its page has the id of the page. What is drawn `again` and again is told at DEBUG alone.
    """
    if current_request_id() is not None:
        yield
        return
    started = time.perf_counter()
    with following(new_request_id()), span(f"draw {what}"):
        try:
            yield
        finally:
            tell = log.debug if again else log.info
            tell("drawn", what=what, duration_ms=round((time.perf_counter() - started) * 1000, 1))


@st.cache_resource(show_spinner=False, on_release=httpx2.Client.close)
def _connections() -> httpx2.Client:
    return new_client()
