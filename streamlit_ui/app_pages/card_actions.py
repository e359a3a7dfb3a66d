"""What can be done with trained models; each is asked about in a dialog of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import streamlit as st

from shared.contracts.prediction import ImportModel
from shared.contracts.promotions import Mode
from shared.contracts.results import FEWEST, MOST
from shared.contracts.training import ChangeModel, Model
from streamlit_ui.app_pages.card_windows import pick_window
from streamlit_ui.client import active_models as imported
from streamlit_ui.client import models as client
from streamlit_ui.formats import plain
from streamlit_ui.places import go
from streamlit_ui.session import services, t
from streamlit_ui.states import confirm, guarded, note, once, release


def ask_test(model: Model) -> None:
    """Ask on which rows to measure a model."""

    @st.dialog(t("card.test_title", name=plain(model.name)), icon=":material/science:")
    def asking() -> None:
        window = pick_window([model], key="test")
        if once(st.button, t("card.test_do"), type="primary", disabled=window is None, key="test_do") and window:
            with guarded():
                job = client.test_model(services().training, model.id, start=window[0], end=window[1])
                note(t("card.queued", job=job.job_id))
                go("jobs", id=job.job_id)
        release("test_do")

    asking()


def ask_compare(models: Sequence[Model], *, others: Sequence[Model] = ()) -> None:
    """Ask which models to measure on the same rows, and on which."""

    @st.dialog(t("card.compare_title"), icon=":material/compare_arrows:", width="medium")
    def asking() -> None:
        known = {one.id: one for one in [*models, *others]}
        chosen_ids = st.multiselect(
            t("card.compare_models", fewest=FEWEST, most=MOST), options=list(known), default=[one.id for one in models],
            format_func=lambda one: f"{known[one].name} (#{one})", max_selections=MOST, key="compare_models",
            placeholder=t("card.compare_none"),
        )  # fmt: skip
        chosen = [known[one] for one in chosen_ids]
        if len({what_is_asked(one) for one in chosen}) > 1:
            st.info(t("card.compare_questions"), icon=":material/info:")
        window = pick_window(chosen or models, key=f"compare_{'_'.join(str(one) for one in chosen_ids)}")
        ready = window is not None and len(chosen) >= FEWEST
        pressed = once(st.button, t("card.compare_do"), type="primary", disabled=not ready, key="compare_do")
        if pressed and ready and window:
            with guarded():
                job = client.compare_models(services().training, chosen_ids, start=window[0], end=window[1])
                note(t("card.queued", job=job.job_id))
                go("jobs", id=job.job_id)
        release("compare_do")

    asking()


def what_is_asked(model: Model) -> tuple[object, ...]:
    """Give what tells one question from another."""
    return (
        model.target_variable, model.target_operator, model.target_value, model.future_minutes,
        model.price_change_percent, model.target_direction, model.label_mode, model.label_resolution,
    )  # fmt: skip


def ask_change(model: Model) -> None:
    """Ask for another name or description."""

    @st.dialog(t("card.change_title"), icon=":material/edit:")
    def asking() -> None:
        name = st.text_input(t("card.name"), value=model.name, max_chars=190, key="change_name")
        text = st.text_area(
            t("card.description"), value=model.description or "", max_chars=2000, height=160, key="change_description",
            placeholder=t("card.description_hint"),
        )  # fmt: skip
        if once(st.button, t("card.save"), type="primary", key="change_do", disabled=not name.strip()):
            changed: dict[str, Any] = {}
            if name.strip() != model.name:
                changed["name"] = name.strip()
            if text.strip() != (model.description or ""):
                changed["description"] = text.strip() or None
            with guarded():
                if changed:
                    # The service judges names; what it says of one is shown here.
                    client.change_model(
                        services().training, model.id, ChangeModel.model_construct(set(changed), **changed)
                    )
                    note(t("card.saved"))
                st.rerun()
        release("change_do")

    asking()


def ask_import(model: Model) -> None:
    """Ask how a model is to predict."""

    @st.dialog(t("card.import_title", name=plain(model.name)), icon=":material/download:")
    def asking() -> None:
        st.write(t("card.import_words"))
        words: Mapping[str, str] = {mode: t(f"card.mode_{mode}") for mode in get_args(Mode)}
        mode = st.radio(
            t("card.mode"), options=list(get_args(Mode)), format_func=words.__getitem__, key="import_mode",
            captions=[t(f"card.mode_{mode}_help") for mode in get_args(Mode)],
        )  # fmt: skip
        line = st.text_input(t("card.line"), help=t("card.line_help"), max_chars=100, key="import_line").strip()
        if once(st.button, t("card.import_do"), type="primary", key="import_do"):
            with guarded():
                given: dict[str, Any] = {"model_id": model.id, "mode": mode} | ({"line": line} if line else {})
                done = imported.import_model(services().prediction, ImportModel.model_construct(set(given), **given))
                note(t("card.imported", name=plain(done.model_name)))
                go("manage", model=done.active_model_id)
        release("import_do")

    asking()


def ask_delete(model: Model) -> None:
    """Ask before a model is deleted."""

    def delete() -> None:
        client.delete_model(services().training, model.id)
        note(t("card.deleted", name=plain(model.name)))
        go("models")

    confirm(
        t("card.delete_title"), t("card.delete_words", name=plain(model.name)), action=t("card.delete"),
        typed=model.name, do=delete,
    )  # fmt: skip
