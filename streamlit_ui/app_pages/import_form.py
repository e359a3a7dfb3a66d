"""One trained model before it is imported: what it promises, and how it is to run."""

from http import HTTPStatus
from typing import get_args

import streamlit as st
from pydantic import ValidationError

from shared.contracts.card import ModelCard
from shared.contracts.prediction import AvailableModel, ImportModel
from shared.contracts.promotions import Mode
from streamlit_ui.app_pages import catalogue, form_faults
from streamlit_ui.app_pages.questions import question
from streamlit_ui.client.active_models import import_model, list_active, list_available
from streamlit_ui.client.models import get_card
from streamlit_ui.client.transport import Refused
from streamlit_ui.formats import code, duration, moment, number, percent, plain, share
from streamlit_ui.places import go, link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, empty, guarded, note, once, show_error

_DAY_SECONDS = 86_400
_SCORE_DIGITS = 3
_CARD_PIXELS = 150


def draw(model: AvailableModel) -> None:
    """Draw what the model promises, and beside it how to bring it."""
    st.subheader(plain(model.name))
    st.markdown(f"**{plain(question(model))}** · {code(model.model_type)}")
    if model.description:
        st.caption(plain(model.description))
    left, right = st.columns([2, 1], gap="medium")
    with left:
        with guarded():
            _draw_promise(model, get_card(services().training, model.id))
        link("models", t("import.card"), id=model.id)
    with right, st.container(border=True):
        _draw_form(model)


def _draw_promise(model: AvailableModel, card: ModelCard) -> None:
    figures, confusion = card.figures, card.confusion
    alert = confusion.at_alert_threshold if confusion else None
    values = {
        "auc": number(model.roc_auc, _SCORE_DIGITS),
        "alert_precision": share(alert.precision if alert else None),
        "base_rate": share(figures.base_rate if figures else None),
        "alert_threshold": number(model.alert_threshold, _SCORE_DIGITS),
        "alerts_per_day": number(figures.alerts_per_day if figures else None),
        "expected_value": percent(figures.expected_value_pct if figures else None),
    }
    with st.grid(3, min_column_width=_CARD_PIXELS):
        for name, value in values.items():
            st.metric(t(f"import.{name}"), value, border=True, help=t(f"import.{name}_help"))
    st.caption(
        t(
            "import.data", first=moment(model.train_start, seconds=False), last=moment(model.train_end, seconds=False),
            features=number(len(model.features)),
            span=duration(figures.holdout_days * _DAY_SECONDS if figures else None),
        )
    )  # fmt: skip
    for warned in card.model.warnings:
        st.warning(catalogue.warning(warned), icon=":material/warning:")
    if not card.model.warnings:
        st.markdown(badge("good", t("import.no_warnings")))


def _draw_form(model: AvailableModel) -> None:
    st.markdown(f"**{t('import.how')}**")
    if model.active_model_id is not None:
        empty(t("import.is_imported", id=model.active_model_id), icon=":material/check_circle:")
        link("manage", t("import.to_manage"), model=model.active_model_id)
        return
    mode = st.radio(
        t("import.mode"), get_args(Mode), format_func=lambda one: t(f"import.mode_{one}"),
        captions=[t(f"import.mode_{one}_help") for one in get_args(Mode)], key=f"import_mode_{model.id}",
    )  # fmt: skip
    line = st.selectbox(
        t("import.line"), _lines(), index=None, key=f"import_line_{model.id}", help=t("import.line_help"),
        accept_new_options=True, placeholder=t("import.no_line"),
    )  # fmt: skip
    reason = st.text_input(
        t("import.reason"), key=f"import_reason_{model.id}", help=t("import.reason_help"), max_chars=1000
    )
    pressed = once(
        st.button, t("import.do"), type="primary", icon=":material/download:", width="stretch", key="import_do"
    )
    if pressed:
        given = {"model_id": model.id, "mode": mode, "line": line or None, "reason": reason or None}
        _bring(model, {name: value for name, value in given.items() if value is not None})


def _lines() -> list[str]:
    models = list_active(services().prediction, include_inactive=True).models
    return sorted({model.line for model in models if model.line is not None})


def _bring(model: AvailableModel, given: dict[str, object]) -> None:
    """Import; what stands against it is shown at the form."""
    try:
        wanted = ImportModel.model_validate(given)
    except ValidationError as error:
        form_faults.show(form_faults.of_validation(error), page="import")
        return
    try:
        with st.spinner(t("import.working")):
            done = import_model(services().prediction, wanted)
    except Refused as error:
        show_error(error)
        if error.status == HTTPStatus.CONFLICT:
            _link_to_existing(model.id)
        return
    note(t("import.done", name=plain(done.model_name)))
    go("manage", model=done.active_model_id)


def _link_to_existing(model_id: int) -> None:
    """Lead to the model that somebody else brought in the meantime."""
    models = list_available(services().prediction, include_imported=True).models
    existing = next((one.active_model_id for one in models if one.id == model_id), None)
    if existing is not None:
        link("manage", t("import.to_manage"), model=existing)
