"""What the model looks at: columns of the row, and families of engineered features over windows of rows."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from shared.contracts.jobs import FeatureCatalogue
from shared.contracts.model_request import CreateModel
from streamlit_ui import formats
from streamlit_ui.app_pages import catalogue as terms
from streamlit_ui.app_pages.training_fields import key, slot
from streamlit_ui.session import t
from streamlit_ui.tables import dataframe

USUAL_WINDOWS: Final = (5, 10, 15)
LARGEST_WINDOW: Final = 200
MOST_WINDOWS: Final = 10


def features(wanted: CreateModel, catalogue: FeatureCatalogue) -> dict[str, Any]:
    """Draw the features; all families over the windows are asked for as such, some of them by name."""
    columns = {one.name: one for one in catalogue.features if one.family is None}
    families = [one.family for one in catalogue.features if one.family is not None]
    plain, chosen, windows = split(wanted, families)
    options = list(dict.fromkeys([*columns, *plain]))

    def words(one: str) -> str:
        return f"{one} · {terms.unit(columns[one].unit)}" if one in columns and columns[one].unit else one

    plain = st.multiselect(
        t("train.columns"),
        options,
        format_func=words,
        help=t("train.columns_help"),
        key=key("columns"),
        default=plain,
        placeholder=t("train.families_none"),
    )
    chosen = st.multiselect(
        t("train.families"), families, help=t("train.families_help"), placeholder=t("train.families_none"),
        key=key("families"), default=chosen,
    )  # fmt: skip
    values = {"features": plain, "use_engineered_features": False, "feature_engineering_windows": windows}
    if chosen:
        windows = _windows(windows)
        values |= asked(plain, chosen, windows, families)
    slot("features", "feature_engineering_windows", "use_engineered_features")
    count = len(plain) + len(chosen) * len(windows)
    st.caption(t("train.feature_count", count=count, columns=len(plain), engineered=count - len(plain)))
    _meanings(catalogue)
    return values


def split(wanted: CreateModel, families: Sequence[str]) -> tuple[list[str], list[str], list[int]]:
    """Give the features of a request as plain names, families and windows."""
    names, windows = list(wanted.features), list(wanted.feature_engineering_windows)
    if wanted.use_engineered_features:
        return names, list(families), windows
    plain = [one for one in names if _parts(one, families) is None]
    parts = [found for one in names if (found := _parts(one, families)) is not None]
    chosen = [one for one in families if any(one == family for family, _ in parts)]
    found_windows = sorted({window for _, window in parts})
    if parts and names == asked(plain, chosen, found_windows, families)["features"]:
        return plain, chosen, found_windows
    # The order of features is part of a request.
    return names, [], windows


def _parts(name: str, families: Sequence[str]) -> tuple[str, int] | None:
    family, _, window = name.rpartition("_")
    return (family, int(window)) if family in families and window.isdigit() else None


def asked(plain: list[str], chosen: list[str], windows: list[int], families: Sequence[str]) -> dict[str, Any]:
    """Give the fields of a request for plain names and families over windows; the inverse of `split`."""
    # A request needs at least one name of its own.
    if len(chosen) == len(families) and plain:
        return {"features": plain, "use_engineered_features": True, "feature_engineering_windows": windows}
    named = [f"{family}_{window}" for family in chosen for window in windows]
    return {
        "features": list(dict.fromkeys([*plain, *named])),
        "use_engineered_features": False,
        "feature_engineering_windows": list(USUAL_WINDOWS),
    }


def _windows(present: list[int]) -> list[int]:
    options = sorted({*(str(one) for one in USUAL_WINDOWS), *(str(one) for one in present)}, key=int)
    given = st.multiselect(
        t("train.windows"), options, accept_new_options=True, max_selections=MOST_WINDOWS, key=key("windows"),
        default=[str(one) for one in present], placeholder=t("train.families_none"),
        help=t("train.windows_help", largest=LARGEST_WINDOW, most=MOST_WINDOWS),
    )  # fmt: skip
    wrong = [one for one in given if not (one.isascii() and one.isdigit() and 1 <= int(one) <= LARGEST_WINDOW)]
    if wrong:
        st.error(
            t("train.windows_wrong", wrong=formats.plain(", ".join(wrong)), largest=LARGEST_WINDOW),
            icon=":material/error:",
        )
    return sorted({int(one) for one in given if one not in wrong})


def _meanings(catalogue: FeatureCatalogue) -> None:
    with st.expander(t("train.meanings"), icon=":material/menu_book:"):
        frame = pd.DataFrame(
            [
                {"name": one.name, "unit": terms.unit(one.unit), "meaning": terms.meaning(one)}
                for one in catalogue.features
            ]
        )
        dataframe(
            frame, hide_index=True, height=320,
            column_config={
                "name": st.column_config.TextColumn(t("train.feature"), width="medium"),
                "unit": st.column_config.TextColumn(t("train.unit"), width="small"),
                "meaning": st.column_config.TextColumn(t("train.meaning"), width="large"),
            },
        )  # fmt: skip
