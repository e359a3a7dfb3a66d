"""The secret of an endpoint, shown once, and what a receiver does with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import streamlit as st

from streamlit_ui.formats import plain
from streamlit_ui.session import t

_FRESH: Final = "fresh_secret"
# The sign of a block of code is shown to a mouse alone; without a secure origin there is no clipboard but the old one.
_COPY = st.components.v2.component(
    "pumpcast_copy",
    html="<button type='button'></button>",
    css="""
    button { width: 100%; min-height: 2.5rem; cursor: pointer; font: inherit; color: var(--st-text-color);
             background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color);
             border-radius: var(--st-button-radius, 0.5rem); }
    button:focus-visible { outline: 2px solid var(--st-primary-color); }
    """,
    js="""
    export default function({ data, parentElement }) {
      const button = parentElement.querySelector("button");
      button.textContent = data.copy;
      button.onclick = async () => {
        try {
          await navigator.clipboard.writeText(data.text);
        } catch {
          const area = document.createElement("textarea");
          area.value = data.text;
          button.after(area);
          area.select();
          document.execCommand("copy");
          area.remove();
        }
        button.textContent = data.copied;
      };
    }
    """,
)
VERIFYING: Final = '''\
import base64, hashlib, hmac, json, os, time

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))

def verify(headers, body):
    """Give the message; ValueError when it is not from pumpcast, was changed on its way, or is old."""
    sent_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > 300:
        raise ValueError("the timestamp is missing or too far away")
    digest = hmac.new(KEY, f"{sent_id}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    given = headers.get("webhook-signature", "").encode().split()
    if not any(hmac.compare_digest(expected, one) for one in given):
        raise ValueError("no signature fits")
    return json.loads(body)
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """A secret that was just made."""

    endpoint: str
    """What the endpoint is called."""
    secret: str
    words: str = ""
    """What the service says of it."""


def fresh_keeper() -> Callable[[Fresh], None]:
    """Give what has a secret shown when the page is drawn next: then, and never again.

    Asked for before the change: another click may end this run as soon as it turns to the session again.
    """
    kept: list[Fresh] = st.session_state.setdefault(_FRESH, [])
    return kept.append


def show_fresh() -> None:
    """Show the secret that was just made, if there is one; it is held by nothing but the open dialog."""
    kept: list[Fresh] | None = st.session_state.get(_FRESH)
    if not kept:
        return
    fresh = kept.pop(0)

    # A click beside it must not lose what nobody can show again.
    @st.dialog(t("delivery.secret_title"), icon=":material/key:", width="medium", dismissible=False)
    def shown() -> None:
        st.markdown(t("delivery.secret_of", endpoint=plain(fresh.endpoint)))
        st.code(fresh.secret, language=None, wrap_lines=True)
        words = {"copy": t("delivery.secret_copy"), "copied": t("delivery.secret_copied")}
        _COPY(data={"text": fresh.secret, **words}, key="copy_secret")
        st.warning(t("delivery.secret_once"), icon=":material/visibility_off:")
        if fresh.words:
            st.caption(plain(fresh.words))
        if st.button(t("delivery.secret_stored"), type="primary", key="secret_stored", width="stretch"):
            st.rerun()

    shown()


def draw_receivers() -> None:
    """Say what a receiver of messages does."""
    st.subheader(t("delivery.receivers_title"))
    st.markdown(t("delivery.receivers_words"))
    st.markdown(t("delivery.receivers_python"))
    st.code(VERIFYING, language="python")
    st.caption(t("delivery.receivers_more"))
