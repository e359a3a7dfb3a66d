"""What a service, or our own reading, finds wrong in a form: shown with the names of its fields."""

import streamlit as st
from pydantic import ValidationError

from streamlit_ui.client.transport import Fault
from streamlit_ui.formats import code, plain
from streamlit_ui.session import language, t
from streamlit_ui.texts import table


def of_validation(error: ValidationError) -> tuple[Fault, ...]:
    """Give what a wire model refuses before anything is sent, as the services write it."""
    return tuple(
        Fault(
            pointer="".join(f"/{part}" for part in one["loc"]),
            detail=one["msg"].removeprefix("Value error, "),
        )
        for one in error.errors()
    )


def show(faults: tuple[Fault, ...], *, page: str) -> None:
    """Say what is wrong in which field; `page.field_<name>` are the words of a field."""
    lines = [f"- **{_field(fault.pointer, page)}** {plain(fault.detail)}" for fault in faults]
    st.error("\n".join([t("form_faults.wrong"), *lines]), icon=":material/edit_off:")


def _field(pointer: str, page: str) -> str:
    name = pointer.strip("/").split("/", maxsplit=1)[0]
    return table(language()).get(f"{page}.field_{name}", code(pointer or "/"))
