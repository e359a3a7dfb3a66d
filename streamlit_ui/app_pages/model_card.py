"""One model: what it is, what to mind, what can be done with it, and its card."""

from functools import partial

import streamlit as st

from shared.contracts.prediction import ActiveModel
from shared.contracts.training import Model
from streamlit_ui.app_pages import (
    card_audit,
    card_data,
    card_features,
    card_lineage,
    card_money,
    card_performance,
    card_robustness,
)
from streamlit_ui.app_pages.card_actions import ask_change, ask_compare, ask_delete, ask_import, ask_test
from streamlit_ui.app_pages.card_figures import warn
from streamlit_ui.app_pages.questions import question
from streamlit_ui.app_pages.tabbed import tabbed
from streamlit_ui.client.active_models import list_active
from streamlit_ui.client.missing import if_there
from streamlit_ui.client.models import get_card, list_models
from streamlit_ui.client.transport import ServiceError
from streamlit_ui.formats import age, moment, plain
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import Level, badge, empty, guarded, show_error

_STATES: dict[str, Level] = {"READY": "good", "TRAINING": "busy", "FAILED": "bad"}
MOST_MODELS = 1000


def draw(model_id: int) -> None:
    """Draw the page of one model."""
    link("models", t("card.back"), icon=":material/arrow_back:")
    card = if_there(get_card, services().training, model_id)
    if card is None:
        empty(t("card.missing_model", id=model_id), icon=":material/search_off:")
        return
    model = card.model
    trouble: ServiceError | None = None
    active: ActiveModel | None = None
    try:
        found = list_active(services().prediction, include_inactive=True)
        active = next((one for one in found.models if one.model_id == model_id), None)
    except ServiceError as error:
        trouble = error
    _head(model, active)
    _actions(model, active, can_import=trouble is None)
    if trouble is not None:
        show_error(trouble)
    warn(model.warnings)
    active_id = active.id if active else None
    tabbed(
        "tab",
        {
            "performance": (t("card.tab_performance"), partial(card_performance.draw, card, active_id=active_id)),
            "money": (t("card.tab_money"), partial(card_money.draw, card.money, direction=_rising(model))),
            "robustness": (t("card.tab_robustness"), partial(card_robustness.draw, card)),
            "features": (t("card.tab_features"), partial(card_features.draw, card)),
            "audit": (t("card.tab_audit"), partial(card_audit.draw, card.audit)),
            "data": (t("card.tab_data"), partial(card_data.draw, card)),
            "lineage": (t("card.tab_lineage"), partial(card_lineage.draw, card)),
        },
    )


def _rising(model: Model) -> str | None:
    return model.target_direction if model.target_operator is None else None


def _head(model: Model, active: ActiveModel | None) -> None:
    st.title(plain(model.name), anchor=False)
    states = [badge("off", t("card.is_deleted"))] if model.is_deleted else []
    if model.status in _STATES and not model.is_deleted:
        states.append(badge(_STATES[model.status], t(f"card.status_{model.status.lower()}")))
    if active is not None:
        kind = active.mode if active.is_active else "inactive"
        states.append(badge("good" if kind == "live" else "busy" if kind == "shadow" else "off", t(f"card.is_{kind}")))
    st.markdown(
        f"{' '.join(states)} &nbsp; **{plain(question(model))}** &nbsp;·&nbsp; {plain(model.model_type)} "
        f"&nbsp;·&nbsp; {t('card.trained', age=age(model.created_at))} &nbsp;·&nbsp; :gray[#{model.id}]"
    )
    st.caption(
        t(
            "card.trained_on", start=moment(model.train_start, seconds=False),
            end=moment(model.train_end, seconds=False), features=len(model.features), phases=_phases(model.phases),
        )
    )  # fmt: skip
    if model.description:
        st.markdown(f"> {plain(model.description)}")


def _actions(model: Model, active: ActiveModel | None, *, can_import: bool) -> None:
    ready = model.status == "READY" and not model.is_deleted
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if active is not None:
            link("manage", t("card.manage"), icon=":material/tune:", model=active.id)
        elif st.button(
            t("card.import"), icon=":material/download:", type="primary", disabled=not (ready and can_import),
            key="act_import",
        ):  # fmt: skip
            ask_import(model)
        if st.button(t("card.test"), icon=":material/science:", disabled=not ready, key="act_test"):
            ask_test(model)
        if st.button(t("card.compare"), icon=":material/compare_arrows:", disabled=not ready, key="act_compare"):
            with guarded():
                others = list_models(services().training, status="READY", limit=MOST_MODELS).models
                ask_compare([model], others=[one for one in others if one.id != model.id])
        if st.button(t("card.change"), icon=":material/edit:", disabled=model.is_deleted, key="act_change"):
            ask_change(model)
        if st.button(t("card.delete"), icon=":material/delete:", disabled=model.is_deleted, key="act_delete"):
            ask_delete(model)
        link("train", t("card.train_again"), icon=":material/replay:", from_model=model.id)


def _phases(phases: list[int] | None) -> str:
    return t("card.some_phases", phases=", ".join(str(one) for one in phases)) if phases else t("card.all_phases")
