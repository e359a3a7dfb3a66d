"""The key of somebody who looks at the app: asked for once, kept by the server, remembered by a cookie."""

import streamlit as st

from shared.contracts.prediction import ActiveModels
from shared.contracts.training import ModelList
from streamlit_ui.client.transport import KeyNeeded, ServiceError
from streamlit_ui.formats import plain
from streamlit_ui.logins import LOGINS
from streamlit_ui.session import TOKEN, services, t
from streamlit_ui.settings import app_settings

_TICKET = "login_ticket"
_WANTED = "login_wanted"
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
    return _WANTED in st.session_state


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
    token = LOGINS.enter(key.strip())
    st.session_state[TOKEN] = token
    try:
        found = services()
        found.prediction.get("/models/active", ActiveModels)
        found.training.get("/models", ModelList, limit=1)
    except KeyNeeded as error:
        LOGINS.leave(token)
        st.session_state[TOKEN] = ""
        st.error(t("login.refused", reason=plain(error.message)), icon=":material/key_off:")
        return
    except ServiceError:
        # A service that is down is told of on the page itself.
        pass
    st.session_state[_TICKET] = LOGINS.ticket(token)
    del st.session_state[_WANTED]
    st.rerun()


def leave() -> None:
    """Forget the key, here and wherever else this browser shows the app."""
    LOGINS.leave(st.session_state.get(TOKEN, ""))
    # Not removed: the cookie that this page came with must not be taken up again.
    st.session_state[TOKEN] = ""
    st.session_state[_TICKET] = LOGINS.ticket("")


def is_logged_in() -> bool:
    """Tell whether somebody gave a key."""
    return bool(LOGINS.key(st.session_state.get(TOKEN, "")))
