"""The page of packages: one at a time, an upload, or the candles they all live on."""

from collections.abc import Callable, Sequence

import streamlit as st

from shared.contracts.packages import Package, PackageDetails
from streamlit_ui.address import keep, select, tabs, told
from streamlit_ui.app_pages import (
    package_candles,
    package_manifest,
    package_signal,
    package_state,
    package_upload,
    paper_account,
    paper_equity,
)
from streamlit_ui.client import packages as client
from streamlit_ui.formats import code, plain
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import empty, guarded

VIEWS = ("package", "upload", "candles")
TABS: dict[str, Callable[[PackageDetails], None]] = {
    "signal": package_signal.draw,
    "paper": paper_account.draw,
    "equity": paper_equity.draw,
    "manifest": package_manifest.draw,
    "files": package_manifest.draw_files,
}
_PICK = "pick_model"
_ACCOUNT = "paper_"


def render() -> None:
    """Draw the page."""
    st.title(t("places.packages"))
    st.caption(t("packages.lead"))
    view = select(
        t("packages.view"), VIEWS, name="view", words=lambda one: t(f"packages.view_{one}"),
        widget=st.segmented_control, label_visibility="collapsed",
    )  # fmt: skip
    match view:
        case "upload":
            package_upload.draw()
        case "candles":
            package_candles.draw()
        case _:
            _draw_packages()


def _draw_packages() -> None:
    found = client.list_packages(services().prediction).packages
    if not found:
        empty(t("packages.none"), icon=":material/package_2:")
        link("packages", t("packages.view_upload"), icon=":material/upload:", view="upload")
        return
    known = {one.id: one for one in sorted(found, key=lambda one: one.status == "ARCHIVED")}
    wanted = (told("model") or next(iter(known))).strip()
    wanted = wanted if wanted in known else wanted.removeprefix(_ACCOUNT)
    if wanted not in known:
        st.error(t("packages.unknown", id=code(wanted)), icon=":material/search_off:")
        for one in list(known.values())[:5]:
            link("packages", plain(one.name), model=one.id)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = known[_choose(list(known.values()), wanted)]
        package_state.draw_actions(chosen)
    package_state.draw(chosen, found)
    with guarded():
        details = client.get_package(services().prediction, chosen.id)
        package_state.draw_trouble(details)
        name, place = tabs(list(TABS), words=lambda one: t(f"packages.tab_{one}"))
        with place, guarded():
            TABS[name](details)


def _choose(known: Sequence[Package], wanted: str) -> str:
    names = {one.id: _name(one) for one in known}
    st.session_state[_PICK] = wanted
    chosen: str = st.selectbox(
        t("packages.choose"), list(names), format_func=names.__getitem__, key=_PICK, on_change=_keep_chosen, width=420,
    )  # fmt: skip
    # Always said: the newest package is another one tomorrow.
    keep("model", chosen)
    return chosen


def _keep_chosen() -> None:
    keep("model", st.session_state[_PICK])


def _name(package: Package) -> str:
    states = [t("packages.status_ARCHIVED")] if package.status == "ARCHIVED" else []
    return " · ".join([package.name, package.id, *states])
