"""The page manage: imported models, and one of them with all that can be set and done."""

import streamlit as st

from shared.contracts.prediction import ActiveModel
from streamlit_ui import address
from streamlit_ui.app_pages import model_removal, model_settings, promotion, threshold
from streamlit_ui.app_pages.model_states import active_badge, mode_badge, state_words
from streamlit_ui.app_pages.questions import question
from streamlit_ui.client.active_models import activate, deactivate, get_active, list_active
from streamlit_ui.client.missing import if_there
from streamlit_ui.formats import age, code, moment, number, plain
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import confirm, empty, guarded, live, note, once
from streamlit_ui.tables import dataframe, moment_column

REDRAWN_SECONDS = 15
_TABS = ("threshold", "sending", "promotion", "removal")
_DRAWN = "manage_drawn"
_STATES = ("active", "inactive", "all")


def render() -> None:
    """Draw the page."""
    st.title(t("places.manage"))
    chosen = address.told_id("model")
    if address.told("model") is None:
        _draw_list()
        return
    if st.button(t("manage.back"), icon=":material/arrow_back:", type="tertiary"):
        address.keep("model", None)
        address.keep("tab", None)
        address.keep("threshold", None)
        st.rerun()
    found = None if chosen is None else if_there(get_active, services().prediction, chosen)
    if found is None:
        st.error(t("manage.unknown", id=plain(address.told("model"))), icon=":material/search_off:")
    else:
        _draw_one(found)


def _draw_list() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            t("manage.search"), value=address.told("search") or "", key="manage_search", icon=":material/search:",
            width=320,
        )  # fmt: skip
        address.keep("search", search)
        state = address.select(
            t("manage.show"), _STATES, name="state", words=lambda one: t(f"manage.state_{one}"),
            widget=st.segmented_control,
        )  # fmt: skip
    _draw_table(search, state)


@live(REDRAWN_SECONDS)
def _draw_table(search: str, state: str) -> None:
    models = list_active(services().prediction, include_inactive=True).models
    if not models:
        empty(t("manage.nothing"))
        link("import")
        return
    shown = [
        one for one in models if (state == "all" or one.is_active == (state == "active")) and _matches(one, search)
    ]
    st.caption(t("manage.count", shown=number(len(shown)), total=number(len(models))))
    if not shown:
        empty(t("manage.no_match"))
        return
    columns = {
        "name": [one.name for one in shown],
        "state": [state_words(one) for one in shown],
        "question": [question(one) for one in shown],
        "line": [one.line or "" for one in shown],
        "threshold": [one.alert_threshold for one in shown],
        "send_modes": [", ".join(t(f"manage.send_{mode}") for mode in one.send_modes) for one in shown],
        "predictions": [one.total_predictions for one in shown],
        "last_prediction": [one.last_prediction_at for one in shown],
    }
    _open_chosen()
    ids = [one.id for one in shown]
    # The key holds the models: when one comes or goes, a row that was chosen before means another one.
    key = f"manage_{hash(tuple(ids))}"
    st.session_state[_DRAWN] = (key, ids)
    dataframe(
        {t(f"manage.{name}"): values for name, values in columns.items()}, hide_index=True,
        on_select="rerun", selection_mode="single-row", key=key,
        column_config={
            t("manage.name"): st.column_config.TextColumn(width="medium"),
            t("manage.threshold"): st.column_config.NumberColumn(format="%.3f"),
            t("manage.predictions"): st.column_config.NumberColumn(format="localized"),
            t("manage.last_prediction"): moment_column(),
        },
    )  # fmt: skip
    st.caption(t("manage.open_one"))


def _open_chosen() -> None:
    """Open the model whose row was chosen, in the table as it was drawn when it was."""
    key, ids = st.session_state.get(_DRAWN, ("manage_none", []))
    chosen = st.session_state.get(key)
    rows = chosen["selection"]["rows"] if chosen else []
    if rows:
        del st.session_state[_DRAWN]
        address.keep("model", ids[rows[0]])
        st.rerun()


def _matches(model: ActiveModel, search: str) -> bool:
    text = f"{model.name} {model.model_name} {model.model_type} {model.line or ''} {question(model)}".casefold()
    return all(word in text for word in search.casefold().split())


def _draw_one(model: ActiveModel) -> None:
    st.subheader(plain(model.name))
    st.markdown(f"{active_badge(model)} {mode_badge(model)} **{plain(question(model))}** · {code(model.model_type)}")
    st.caption(
        t(
            "manage.facts" if model.last_prediction_at else "manage.facts_none",
            imported=moment(model.created_at, seconds=False), n=number(model.total_predictions),
            age=age(model.last_prediction_at),
        )
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        _draw_switch(model)
        link("statistics", model=model.id)
        link("predictions", model=model.id)
        link("models", t("manage.card"), id=model.model_id)
    opened, place = address.tabs(_TABS, words=lambda one: t(f"manage.tab_{one}"))
    with place:
        match opened:
            case "sending":
                model_settings.draw(model)
            case "promotion":
                promotion.draw(model)
            case "removal":
                model_removal.draw(model)
            case _:
                threshold.draw(model)


def _draw_switch(model: ActiveModel) -> None:
    """Offer to let the model predict, or to let it rest."""
    if model.is_active:
        if st.button(t("manage.deactivate"), icon=":material/pause:", help=t("manage.deactivate_help"), key="rest"):
            _ask_rest(model)
    elif once(st.button, t("manage.activate"), icon=":material/play_arrow:", type="primary", key="wake"):
        with guarded():
            activate(services().prediction, model.id)
            note(t("manage.activated", name=plain(model.name)))
            st.rerun()


def _ask_rest(model: ActiveModel) -> None:
    def do() -> None:
        deactivate(services().prediction, model.id)
        note(t("manage.deactivated", name=plain(model.name)))

    words = t("manage.deactivate_words", name=plain(model.name))
    confirm(t("manage.deactivate_title"), words, action=t("manage.deactivate"), do=do)
