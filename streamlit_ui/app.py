"""The app: frame, navigation, and one page at a time. `streamlit run streamlit_ui/app.py`."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

# Streamlit puts the folder of the script in front of the path, where its modules would be found under short names.
_HERE = str(Path(__file__).resolve().parent)
if _HERE in sys.path:
    sys.path.remove(_HERE)
    sys.path.append(str(Path(_HERE).parent))

from shared.errors import SettingsInvalid  # noqa: E402
from streamlit_ui import gate, login, serve  # noqa: E402
from streamlit_ui.app_pages import (  # noqa: E402
    delivery,
    import_models,
    jobs,
    manage,
    models,
    overview,
    packages,
    predictions,
    statistics,
    system,
    train,
)
from streamlit_ui.formats import plain  # noqa: E402
from streamlit_ui.places import HOME, PLACES, Name, arrive, page  # noqa: E402
from streamlit_ui.session import drawing, first_language, t  # noqa: E402
from streamlit_ui.settings import app_settings  # noqa: E402
from streamlit_ui.states import forget_busy, guarded, release, show_notes  # noqa: E402
from streamlit_ui.texts import LANGUAGES  # noqa: E402

MORE_TO_COME = 240
ICON, WORDMARK = (Path(__file__).with_name(name) for name in ("icon.svg", "wordmark.svg"))
RENDER: dict[Name, Callable[[], None]] = {
    "overview": overview.render,
    "predictions": predictions.render,
    "statistics": statistics.render,
    "train": train.render,
    "jobs": jobs.render,
    "models": models.render,
    "import": import_models.render,
    "manage": manage.render,
    "packages": packages.render,
    "delivery": delivery.render,
    "system": system.render,
}


def main() -> None:
    """Draw the app."""
    st.set_page_config(page_title="pumpcast", page_icon=str(ICON), layout="wide")
    try:
        app_settings()
    except SettingsInvalid as error:
        st.error(plain(error.message), icon=":material/settings_alert:")
        return
    groups = dict.fromkeys(t(f"places.group_{place.group}") for place in PLACES)
    sections = {
        title: [page(one.name, partial(show, one.name)) for one in PLACES if t(f"places.group_{one.group}") == title]
        for title in groups
    }
    chosen = st.navigation(sections, position="sidebar", expanded=True)
    frame()
    chosen.run()


def frame() -> None:
    """Draw what stands beside every page."""
    login.remember()
    st.logo(str(WORDMARK), size="large", icon_image=str(ICON))
    with st.sidebar:
        st.segmented_control(
            t("frame.language"), options=list(LANGUAGES), default=first_language(), key="lang", bind="query-params",
            required=True, label_visibility="collapsed",
        )  # fmt: skip
        st.toggle(t("frame.local"), key="local", bind="query-params", help=t("frame.local_help"))
        if login.is_logged_in():
            st.button(t("frame.leave"), on_click=login.leave, icon=":material/logout:", type="tertiary")


def show(name: Name) -> None:
    """Draw one page; one that was not there before has a sign of more to come below what is there already."""
    is_new = arrive(name)
    forget_busy()
    show_notes()
    body = st.container()
    # Below, so that nothing moves when it goes; a page that is there already stands still while it is drawn anew.
    with st.skeleton(height=MORE_TO_COME) if is_new else nullcontext(), body:
        with drawing(name), guarded():
            if login.is_wanted():
                login.ask()
            else:
                RENDER[name]()
        release()


def tell_of_fault(_error: Exception) -> bool:
    """Say that the app itself failed; its log has the trace."""
    st.error(t("states.fault"), icon=":material/bug_report:")
    return True


if __name__ == "__main__":
    main()
elif __name__ == "app":
    # Streamlit looks for this before it serves; the script that draws is this file again.
    serve.settle()
    served = st.App(
        Path(__file__), routes=[*gate.ROUTES, Route(f"/{HOME}", gate.show_home)],
        middleware=[Middleware(gate.Gate)], on_script_error=tell_of_fault,
    )  # fmt: skip
