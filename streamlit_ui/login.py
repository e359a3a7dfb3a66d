"""The key of somebody who looks at the app: asked for once, kept by the server, remembered by a cookie."""

import re
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

import streamlit as st

from shared.contracts.prediction import ActiveModels
from shared.contracts.training import ModelList
from streamlit_ui.client.transport import KeyNeeded, Refused, ServiceError
from streamlit_ui.formats import plain
from streamlit_ui.logins import LOGINS
from streamlit_ui.session import TOKEN, services, t
from streamlit_ui.settings import app_settings

_TICKET = "login_ticket"
_WANTED = "login_wanted"
_OWNER = "login_owner"
# How somebody looks at the app, whoever it is; all else that a session knows belongs to one key.
_OF_NOBODY = ("lang", "local", TOKEN, _TICKET, _OWNER)
# What a header can carry, and no more than a service reads.
_KEY = re.compile(r"[!-~]{1,1000}")
# The browser fetches its cookie itself: no script can read one that came so.
_KEEPER = st.components.v2.component(
    "pumpcast_session",
    js="""
    export default function({ data }) {
      fetch("/session", { method: "POST", body: data.ticket, credentials: "same-origin" });
    }
    """,
)


def remember() -> None:
    """Take the login up again after a reload, and have the browser keep or forget its cookie."""
    if TOKEN not in st.session_state:
        token = st.context.cookies.get(app_settings().cookie, "")
        if LOGINS.key(token):
            st.session_state[TOKEN] = token
    ticket = st.session_state.get(_TICKET, "")
    if LOGINS.is_open(ticket):
        _KEEPER(data={"ticket": ticket}, key=f"keeper-{ticket[:8]}")


def want(reason: str) -> None:
    """Ask for a key instead of the page: a service wants one, or another one."""
    st.session_state[_WANTED] = reason
    st.rerun()


def is_wanted() -> bool:
    """Tell whether a key is to be asked for."""
    return _WANTED in st.session_state or (app_settings().wants_login and not is_logged_in())


def ask() -> None:
    """Ask for a key and try it on both services."""
    st.title(t("login.title"))
    st.write(t("login.why"))
    with st.form("login", width=460):
        key = st.text_input(t("login.key"), type="password", help=t("login.help"), autocomplete="current-password")
        pressed = st.form_submit_button(t("login.enter"), type="primary")
    if not pressed:
        if services().training.key:
            st.warning(t("login.refused", reason=plain(st.session_state[_WANTED])), icon=":material/key_off:")
        return
    LOGINS.leave(st.session_state.get(TOKEN, ""))
    # Not removed: the cookie that this page came with must not be taken up again.
    st.session_state[TOKEN] = ""
    key = key.strip()
    reason = _why_refused(key) if _KEY.fullmatch(key) else t("login.signs")
    if reason is not None:
        st.error(t("login.refused", reason=reason), icon=":material/key_off:")
        return
    if st.session_state.get(_OWNER) != LOGINS.mark(key):
        _forget_all()
    token = LOGINS.enter(key)
    st.session_state.update({TOKEN: token, _OWNER: LOGINS.mark(key), _TICKET: LOGINS.ticket(token)})
    st.session_state.pop(_WANTED, None)
    st.rerun()


def _why_refused(key: str) -> str | None:
    """Try a key here and on both services: None when one takes it and none refuses it; raises when none answers."""
    # The services count a wrong key for the address of the app, and beyond a limit let nobody new in from there.
    if app_settings().wants_login and not app_settings().has_key(key):
        return t("login.unknown")
    found = services()
    missing: ServiceError | None = None
    taken = 0
    tries: tuple[Callable[[], object], ...] = (
        lambda: replace(found.prediction, key=key).get("/models/active", ActiveModels),
        lambda: replace(found.training, key=key).get("/models", ModelList, limit=1),
    )
    for ask_one in tries:
        try:
            ask_one()
            taken += 1
        except KeyNeeded as error:
            return plain(error.message)
        except ServiceError as error:
            if isinstance(error, Refused) and error.status == HTTPStatus.FORBIDDEN:
                return plain(error.message)
            # One that is down is told of on the pages.
            missing = error
    if not taken and missing is not None:
        raise missing
    return None


def _forget_all() -> None:
    """Forget what the session knows of whoever used it before."""
    for name in list(st.session_state):
        if name not in _OF_NOBODY:
            del st.session_state[name]


def leave() -> None:
    """Forget the key and what was seen with it, here and wherever else this browser shows the app."""
    LOGINS.leave(st.session_state.get(TOKEN, ""))
    _forget_all()
    st.session_state.update({TOKEN: "", _OWNER: "", _TICKET: LOGINS.ticket("")})


def is_logged_in() -> bool:
    """Tell whether somebody gave a key."""
    return bool(LOGINS.key(st.session_state.get(TOKEN, "")))
