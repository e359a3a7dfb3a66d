"""How both services are set up, without secrets; versions, and where machines look."""

from importlib.metadata import version
from typing import Final

import pandas as pd
import streamlit as st

from shared.contracts.health import Configuration, Setting
from streamlit_ui import formats
from streamlit_ui.address import keep, select, told
from streamlit_ui.app_pages.system_states import SERVICES
from streamlit_ui.client.system import get_configuration
from streamlit_ui.client.transport import Service
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, empty, guarded
from streamlit_ui.tables import dataframe

HIDDEN: Final = ("set", "not set")
"""What a service shows in place of a secret."""
ROW_PIXELS: Final = 35
MOST_ROWS: Final = 20


def draw() -> None:
    """Draw the settings of one service, and the addresses of both."""
    both = services()
    name = select(
        t("system.service"), SERVICES, name="service", words=lambda one: t(f"system.part_api_{one}"),
        widget=st.segmented_control, label_visibility="collapsed",
    )  # fmt: skip
    service = both.prediction if name == "prediction" else both.training
    with guarded():
        found = get_configuration(service)
        _versions(found)
        _settings(found)
    _links(service)


def _versions(found: Configuration) -> None:
    ours = version("pumpcast")
    words = t("system.versions", service=formats.plain(found.version), app=ours)
    if found.version == ours:
        st.markdown(badge("good", words))
    else:
        st.markdown(badge("warning", f"{words}: {t('system.versions_differ')}"))


def _settings(found: Configuration) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sought = st.text_input(
            t("system.search"), value=told("search") or "", key="settings_search", width=320,
            placeholder=t("system.search_hint"),
        ).strip()  # fmt: skip
        is_short = st.toggle(t("system.only_changed"), value=told("changed") == "1", key="settings_changed")
    keep("search", sought)
    keep("changed", "1" if is_short else None)
    shown = [
        one
        for one in found.settings
        if (one.is_changed or not is_short) and sought.lower() in f"{one.name} {one.description}".lower()
    ]
    if not shown:
        empty(t("system.no_setting"), icon=":material/search_off:")
        return
    _table(shown)
    changed = sum(one.is_changed for one in found.settings)
    st.caption(t("system.settings_count", count=len(shown), all=len(found.settings), changed=changed))


def _table(shown: list[Setting]) -> None:
    dataframe(
        pd.DataFrame(
            {
                "name": [one.name for one in shown],
                "value": [value_words(one) for one in shown],
                "changed": [f"● {t('system.yes')}" if one.is_changed else "" for one in shown],
                "default": [_written(one.default) for one in shown],
                "origin": [t(f"system.origin_{one.origin}") for one in shown],
                "about": [one.description for one in shown],
            }
        ),
        hide_index=True,
        row_height=ROW_PIXELS,
        height=ROW_PIXELS * (min(len(shown), MOST_ROWS) + 1) + 3,
        column_config={
            "changed": st.column_config.TextColumn(t("system.changed"), width=85),
            "name": st.column_config.TextColumn(t("system.setting"), width=245),
            "value": st.column_config.TextColumn(t("system.value"), width=170),
            "default": st.column_config.TextColumn(t("system.default"), width=120),
            "origin": st.column_config.TextColumn(t("system.origin"), width=110),
            "about": st.column_config.TextColumn(t("system.meaning"), width="large"),
        },
    )


def value_words(setting: Setting) -> str:
    """Write what a setting is; of a secret only whether there is one."""
    if setting.is_secret and setting.value in HIDDEN:
        return t("system.secret_set" if setting.value == "set" else "system.secret_unset")
    return _written(setting.value)


def _written(value: bool | float | str | list[str] | None) -> str:
    match value:
        case None | "" | []:
            return formats.NOTHING
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(value)
    return str(value)


def _links(service: Service) -> None:
    st.subheader(t("system.links_title"))
    root = service.shown_url.removesuffix("/api")
    with st.container(horizontal=True):
        for name, path, icon in (
            ("docs", "/docs", "description"), ("metrics", "/metrics", "monitoring"), ("health", "/health", "favorite"),
        ):  # fmt: skip
            st.link_button(t(f"system.link_{name}"), f"{root}{path}", icon=f":material/{icon}:")
    st.caption(t("system.links_help", url=formats.plain(service.shown_url)))
