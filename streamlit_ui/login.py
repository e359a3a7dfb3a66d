"""The key of somebody who looks at the app: asked for once, kept by the server, remembered by a cookie."""

import secrets
import time
from dataclasses import dataclass

import streamlit as st

from shared.contracts.prediction import ActiveModels
from shared.contracts.training import ModelList
from streamlit_ui.client.transport import KeyNeeded, ServiceError
from streamlit_ui.session import KEY, services, t
from streamlit_ui.settings import app_settings

LIFE_SECONDS = 12 * 3600
_TOKEN = "session_token"  # noqa: S105 - the name of a place, not a secret
# The cookie holds a number that only this process can turn into the key.
_COOKIE = st.components.v2.component(
    "pumpcast_session",
    js="""
    export default function({ data }) {
      const secure = location.protocol === "https:" ? "; Secure" : "";
      const life = data.token ? data.seconds : 0;
      document.cookie = `${data.name}=${data.token}; Path=/; SameSite=Strict; Max-Age=${life}${secure}`;
    }
    """,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Login:
    key: str
    until: float


def remember() -> None:
    """Take the key up again after a reload, and keep the browser's cookie as it should be."""
    known, now = _logins(), time.time()
    for token in [token for token, login in known.items() if login.until < now]:
        del known[token]
    if KEY not in st.session_state and _TOKEN not in st.session_state:
        token = st.context.cookies.get(_cookie_name(), "")
        if token in known:
            st.session_state[KEY], st.session_state[_TOKEN] = known[token].key, token
    if _TOKEN in st.session_state:
        _COOKIE(data={"name": _cookie_name(), "token": st.session_state[_TOKEN], "seconds": LIFE_SECONDS}, key="cookie")


def ask(reason: str) -> None:
    """Ask for a key and try it on both services."""
    st.title(t("login.title"))
    st.write(t("login.why"))
    with st.form("login", width=460):
        key = st.text_input(t("login.key"), type="password", help=t("login.help"), autocomplete="current-password")
        if not st.form_submit_button(t("login.enter"), type="primary"):
            if st.session_state.get(KEY):
                st.warning(t("login.refused", reason=reason), icon=":material/key_off:")
            return
    st.session_state[KEY] = key.strip()
    try:
        found = services()
        found.prediction.get("/models/active", ActiveModels)
        found.training.get("/models", ModelList, limit=1)
    except KeyNeeded as error:
        del st.session_state[KEY]
        st.error(t("login.refused", reason=error.message), icon=":material/key_off:")
        return
    except ServiceError:
        # A service that is down is told of on the page itself.
        pass
    token = secrets.token_urlsafe(32)
    _logins()[token] = _Login(key=st.session_state[KEY], until=time.time() + LIFE_SECONDS)
    st.session_state[_TOKEN] = token
    st.rerun()


def leave() -> None:
    """Forget the key."""
    _logins().pop(st.session_state.get(_TOKEN, ""), None)
    st.session_state.pop(KEY, None)
    st.session_state[_TOKEN] = ""


def is_logged_in() -> bool:
    """Tell whether somebody gave a key."""
    return bool(st.session_state.get(KEY))


def _cookie_name() -> str:
    # Cookies of one host are shared by all its ports.
    return f"pumpcast_{app_settings().streamlit_port}"


@st.cache_resource(show_spinner=False)
def _logins() -> dict[str, _Login]:
    return {}
