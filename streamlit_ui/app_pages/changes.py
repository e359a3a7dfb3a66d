"""What was changed in a form of settings: told, sent alone, and shown when it is set."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import streamlit as st
from pydantic import ValidationError

from shared.contracts.model_settings import ChangeSettings
from shared.contracts.prediction import ActiveModel
from streamlit_ui.app_pages import form_faults
from streamlit_ui.client.active_models import change_settings
from streamlit_ui.client.transport import Refused
from streamlit_ui.formats import plain
from streamlit_ui.session import services, t
from streamlit_ui.states import guarded, note, once


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A field that is to be another."""

    field: str
    """Of ChangeSettings; the words are manage.field_<field>."""
    value: Any
    before: str
    """In words."""
    after: str


def draw_save(model: ActiveModel, changes: list[Change], *, reason: str | None = None) -> None:
    """Say what would be changed, and send just that when asked to."""
    if not changes:
        st.caption(t("manage.unchanged"))
        return
    st.markdown("\n".join(f"- {_sentence(change)}" for change in changes))
    name = f"save_{changes[0].field}"
    if once(st.button, t("manage.save", n=len(changes)), type="primary", icon=":material/save:", key=name):
        save(model, changes, reason=reason)


def save(model: ActiveModel, changes: list[Change], *, reason: str | None = None) -> None:
    """Send what was changed; what is wrong with it is shown with the names of the fields."""
    given = {change.field: change.value for change in changes} | ({"reason": reason} if reason else {})
    try:
        wanted = ChangeSettings.model_validate(given)
    except ValidationError as error:
        form_faults.show(form_faults.of_validation(error), page="manage")
        return
    with guarded():
        try:
            change_settings(services().prediction, model.id, wanted)
        except Refused as error:
            if error.status != HTTPStatus.UNPROCESSABLE_ENTITY or not error.faults:
                raise
            form_faults.show(error.faults, page="manage")
            return
        for change in changes:
            note(_sentence(change))
        st.rerun()


def key(name: str, model: ActiveModel) -> str:
    """Give the key of a field; whatever is set anew starts from what the service says."""
    return f"{name}_{model.id}_{model.updated_at.timestamp()}"


def _sentence(change: Change) -> str:
    return t(
        "manage.change", field=t(f"manage.field_{change.field}"), before=plain(change.before), after=plain(change.after)
    )
