"""Name and removal of an imported model."""

import streamlit as st

from shared.contracts.prediction import ActiveModel
from streamlit_ui import address
from streamlit_ui.app_pages.changes import key
from streamlit_ui.client.active_models import delete_active, rename_active
from streamlit_ui.formats import number, plain
from streamlit_ui.session import services, t
from streamlit_ui.states import confirm, guarded, note, once

_LONGEST_NAME = 200


def draw(model: ActiveModel) -> None:
    """Draw the name with a way back to that of the training, and the removal."""
    with st.container(border=True):
        _draw_name(model)
    with st.container(border=True):
        st.markdown(f"**{t('manage.delete')}**")
        st.caption(t("manage.delete_why"))
        if st.button(t("manage.delete"), icon=":material/delete:", key="delete"):
            _ask_delete(model)


def _draw_name(model: ActiveModel) -> None:
    st.markdown(f"**{t('manage.rename')}**")
    st.caption(t("manage.rename_why", name=plain(model.model_name)))
    name = st.text_input(t("manage.name"), model.name, max_chars=_LONGEST_NAME, key=key("name", model)).strip()
    with st.container(horizontal=True):
        if once(st.button, t("manage.rename_do"), type="primary", disabled=name in ("", model.name), key="rename"):
            _rename(model, name)
        if model.custom_name is not None and once(
            st.button, t("manage.rename_reset"), icon=":material/restart_alt:", key="rename_reset"
        ):
            _rename(model, None)


def _rename(model: ActiveModel, name: str | None) -> None:
    with guarded():
        renamed = rename_active(services().prediction, model.id, name)
        note(t("manage.renamed", name=plain(renamed.name)))
        st.rerun()


def _ask_delete(model: ActiveModel) -> None:
    def do() -> None:
        delete_active(services().prediction, model.id)
        note(t("manage.deleted", name=plain(model.name)))
        address.keep("model", None)
        address.keep("tab", None)

    words = t("manage.delete_words", name=plain(model.name), n=number(model.total_predictions))
    confirm(t("manage.delete"), words, action=t("manage.delete"), typed=model.name, do=do)
