"""What a page shows when there is nothing, when something fails, and before it does something that hurts."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from typing import Any, Literal, ParamSpec

import streamlit as st
from streamlit.errors import StreamlitDuplicateElementKey

from streamlit_ui import login
from streamlit_ui.client.transport import KeyNeeded, Refused, ServiceError, UnexpectedAnswer, Unreachable
from streamlit_ui.formats import code, plain
from streamlit_ui.session import drawing, t

P = ParamSpec("P")
Level = Literal["good", "busy", "warning", "bad", "off"]
# Never colour alone: each state has its sign and its word.
_BADGES: dict[Level, tuple[str, Any]] = {
    "good": (":material/check_circle:", "green"),
    "busy": (":material/progress_activity:", "blue"),
    "warning": (":material/warning:", "orange"),
    "bad": (":material/error:", "red"),
    "off": (":material/do_not_disturb_on:", "gray"),
}
_NOTES = "notes"
_BUSY = "busy_buttons"
REPEAT_SECONDS = 1.5
"""A second click so soon after the first is the same wish."""


@contextmanager
def guarded() -> Iterator[None]:
    """Show what a service said, or that it is silent, in the place of what would have come."""
    try:
        yield
    except KeyNeeded as error:
        login.want(error.message)
    except ServiceError as error:
        show_error(error)


def show_error(error: ServiceError) -> None:
    """Say what went wrong, what to do, and offer to try again where that may help."""
    service = t(f"words.{error.service}")
    match error:
        case Unreachable():
            reason = code(error.message)
            if error.may_have_happened:
                st.error(t("states.unanswered", service=service, reason=reason), icon=":material/cloud_off:")
            else:
                st.error(t("states.unreachable", service=service, reason=reason), icon=":material/cloud_off:")
            _offer_retry(error)
        case Refused(code="too_often", wait_seconds=int(seconds)):
            st.warning(t("states.too_often", service=service, seconds=seconds), icon=":material/hourglass_top:")
            _offer_retry(error)
        case Refused():
            faults = () if error.says_its_only_fault else error.faults
            lines = [plain(error.message), *(f"- {code(one.pointer)} {plain(one.detail)}" for one in faults)]
            st.error("\n".join(lines), icon=":material/block:")
        case UnexpectedAnswer():
            st.error(t("states.unexpected", service=service, reason=plain(error.message)), icon=":material/help:")
        case _:
            st.error(plain(error.message))
    if error.request_id:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(t("states.request"), width="content")
            st.code(error.request_id, language=None, width="content")


def _offer_retry(error: ServiceError) -> None:
    # Several parts of a page may miss the same service: one button does for all of them.
    with suppress(StreamlitDuplicateElementKey):
        if st.button(t("states.retry"), icon=":material/refresh:", key=f"retry_{error.service}"):
            st.rerun()


def live(seconds: float | None = None) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Make a part of a page that is drawn anew alone: every so often, or when somebody uses it."""

    def decorate(draw: Callable[P, None]) -> Callable[P, None]:
        @wraps(draw)
        def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
            with drawing(draw.__name__.strip("_"), again=seconds is not None), guarded():
                draw(*args, **kwargs)

        return st.fragment(drawn, run_every=seconds)

    return decorate


def badge(level: Level, words: str) -> str:
    """Give a state as Markdown: sign, colour and word."""
    icon, colour = _BADGES[level]
    return f":{colour}-badge[{icon} {words}]"


def empty(words: str, *, icon: str = ":material/inbox:") -> None:
    """Say that there is nothing yet, and what would change that."""
    st.info(words, icon=icon)


def note(words: str, *, icon: str = ":material/check:") -> None:
    """Say something on the next page that is drawn: what was done outlives the rerun that shows it."""
    st.session_state.setdefault(_NOTES, []).append((words, icon))


def show_notes() -> None:
    """Show what was noted."""
    for words, icon in st.session_state.pop(_NOTES, []):
        st.toast(words, icon=icon)


def once(button: Callable[..., Any], label: str, *, key: str, disabled: bool = False, **options: Any) -> bool:
    """Draw a button of a change, and tell once that it was pressed: a double click is no second change.

    It cannot be pressed while the change is under way. `button` is st.button or another of its kind.
    """
    at, sent = f"pressed_at_{key}", f"sent_{key}"
    busy = st.session_state.setdefault(_BUSY, {})
    busy.pop(key, None)
    # A click is known for the run it began, and no longer.
    clicked = not disabled and any(st.session_state.get(name) for name in (key, f"{key}_again"))
    # What was sent and did not come to its end was cut off by this second click.
    is_cut_off = bool(st.session_state.pop(sent, False)) and clicked
    now = time.monotonic()
    is_new = not is_cut_off and now - st.session_state.get(at, -REPEAT_SECONDS) >= REPEAT_SECONDS
    pressed = clicked and is_new
    if is_cut_off:
        st.toast(t("states.cut_off"), icon=":material/touch_app:")
    if pressed:
        st.session_state[at], st.session_state[sent] = now, True
        owner = getattr(button, "__self__", None)
        if owner is not None:
            button = getattr(owner.empty(), button.__name__)
            busy[key] = partial(button, label, key=f"{key}_again", disabled=disabled, **options)
    button(label, key=key, disabled=disabled or pressed, **options)
    return pressed


def release(*keys: str) -> None:
    """Let buttons of changes be pressed again, all or some: what comes to its end undone is not under way.

    A page does so by itself; a dialog, and a part that is drawn alone, for its own ones.
    """
    busy = st.session_state.get(_BUSY, {})
    for key in keys or tuple(busy):
        st.session_state.pop(f"sent_{key}", None)
        if draw := busy.pop(key, None):
            draw()


def forget_busy() -> None:
    """Forget the buttons of a page that is not drawn any more."""
    st.session_state.pop(_BUSY, None)


def _typed(wanted: str) -> bool:
    """Ask for words to be written out; a space that a keyboard adds does not matter."""
    return st.text_input(t("states.type", words=code(wanted)), key="confirm_typed").strip() == wanted.strip()


def confirm(title: str, words: str, *, action: str, typed: str | None = None, do: Callable[[], None]) -> None:
    """Ask before something that cannot be undone; `typed` must be written out where it hurts most.

    `do` does it and notes it; the page is drawn anew behind it. Call this where a button was pressed.
    """

    @st.dialog(title, icon=":material/warning:")
    def asking() -> None:
        st.write(words)
        given = typed is None or _typed(typed)
        left, right = st.columns(2)
        if left.button(t("states.cancel"), key="confirm_cancel", width="stretch"):
            st.rerun()
        pressed = once(right.button, action, type="primary", disabled=not given, key="confirm_do", width="stretch")
        if pressed and given:
            with guarded():
                do()
                st.rerun()
        release("confirm_do")

    asking()
