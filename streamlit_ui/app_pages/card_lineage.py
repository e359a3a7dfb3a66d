"""From what and with what a model was made, and its file."""

import json
from functools import partial

import pandas as pd
import streamlit as st

from shared.contracts.card import CardLineage, ModelCard
from shared.contracts.training import Model
from streamlit_ui.app_pages.card_figures import absent, figures
from streamlit_ui.client.models import read_file
from streamlit_ui.formats import NOTHING, moment, number, plain
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.tables import dataframe


def draw(card: ModelCard) -> None:
    """Draw the section of a card."""
    model = card.model
    _file(model)
    found = card.lineage
    if found is None:
        absent(t("card.tab_lineage"))
    else:
        _made(found)
    st.subheader(t("card.params"), anchor=False)
    st.json(model.params, expanded=False)
    st.subheader(t("card.request"), anchor=False)
    if found is None or found.request is None:
        absent(t("card.request"))
        return
    st.caption(t("card.request_help"))
    st.code(json.dumps(found.request, indent=2, ensure_ascii=False), language="json", height=320)


def _file(model: Model) -> None:
    st.subheader(t("card.file"), anchor=False)
    st.caption(t("card.file_help"))
    with st.container(horizontal=True, vertical_alignment="center"):
        # Read when it is asked for, in another thread: who asks is decided here.
        st.download_button(
            t("card.download"), data=partial(read_file, services().training, model.id),
            file_name=f"model_{model.model_type}_{model.id}.zip", mime="application/zip", on_click="ignore",
            icon=":material/download:", disabled=model.is_deleted or not model.model_file_sha256, key="download_model",
        )  # fmt: skip
        if model.job_id is not None:
            link("jobs", t("card.job", id=model.job_id), id=model.job_id)
    _hashes([(t("card.file_sha256"), model.model_file_sha256), (t("card.run_key"), model.run_key)])


def _made(found: CardLineage) -> None:
    st.subheader(t("card.made_of"), anchor=False)
    _hashes([(t("card.data_sha256"), found.data_sha256), (t("card.fingerprint"), found.fingerprint)])
    version = (found.code_version or NOTHING).partition(" ")[0]
    difference = NOTHING if found.export_difference is None else f"{found.export_difference:.1e}"
    figures(
        [
            (t("card.first_row"), moment(found.first_row, seconds=False), None),
            (t("card.last_row"), moment(found.last_row, seconds=False), None),
            (t("card.code_version"), plain(version), None),
            (t("card.features_version"), number(found.features_version), t("card.features_version_help")),
            (t("card.export_difference"), difference, t("card.export_difference_help")),
        ],
        width=200,
        columns=5,
    )
    with st.grid(2, min_column_width=300, gap="medium"):
        if found.seconds:
            with st.container():
                st.markdown(f"**{t('card.seconds')}** · {number(sum(found.seconds.values()), 1, 's')}")
                _seconds(found.seconds)
        if found.libraries:
            with st.container():
                st.markdown(f"**{t('card.libraries')}**")
                rows = [{"name": name, "version": version} for name, version in sorted(found.libraries.items())]
                titles = {"name": t("card.library"), "version": t("card.version")}
                dataframe(pd.DataFrame(rows), hide_index=True, column_config=titles, height=320)


def _seconds(found: dict[str, float]) -> None:
    rows = [{"step": step, "seconds": value} for step, value in sorted(found.items(), key=lambda one: -one[1])]
    dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=320,
        column_config={
            "step": st.column_config.TextColumn(t("card.step")),
            "seconds": st.column_config.ProgressColumn(
                t("card.seconds_column"),
                format="%.2f s",
                min_value=0.0,
                max_value=max(found.values(), default=1.0) or 1.0,
            ),
        },
    )


def _hashes(shown: list[tuple[str, str | None]]) -> None:
    for label, value in shown:
        st.caption(label)
        st.code(value or NOTHING, language=None, wrap_lines=True)
