"""The same request as text: to copy, to send from a shell, and the other way round."""

import json
import shlex
from datetime import UTC

import streamlit as st
from pydantic import ValidationError

from shared.contracts.jobs import Job
from shared.contracts.training import Model
from streamlit_ui.app_pages import form_faults
from streamlit_ui.app_pages.training_draft import Body, Draft, read
from streamlit_ui.app_pages.training_faults import words
from streamlit_ui.app_pages.training_fields import fill
from streamlit_ui.client.transport import Service
from streamlit_ui.formats import code, plain
from streamlit_ui.session import t
from streamlit_ui.states import note


def as_text(body: Body, training: Service) -> None:
    """Draw the request as JSON and as a command, and a place for JSON of another."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    with st.expander(t("train.as_text"), icon=":material/data_object:"):
        written, command, paste = st.tabs([t("train.as_json"), t("train.as_curl"), t("train.paste")])
        written.code(text, language="json", height=320)
        command.code(curl(body, training), language="bash", wrap_lines=True, height=320)
        with paste:
            _paste()


def curl(body: Body, training: Service) -> str:
    """Give the command that asks for the same."""
    path = "/models/tune" if "trials" in body else "/models/create"
    key = ' \\\n  -H "Authorization: Bearer $API_KEY"' if training.key else ""
    given = shlex.quote(json.dumps(body, ensure_ascii=False))
    return f"curl -X POST {training.shown_url}{path} \\\n  -H 'Content-Type: application/json'{key} \\\n  -d {given}"


def _paste() -> None:
    st.caption(t("train.paste_help"))
    text = st.text_area(t("train.paste"), key="pasted_request", height=220, label_visibility="collapsed")
    if not st.button(t("train.paste_do"), icon=":material/input:", key="paste_do", disabled=not text.strip()):
        return
    try:
        draft = read(json.loads(text))
    except ValidationError as error:
        lines = [
            t("train.paste_wrong"),
            *(f"- {code(one.pointer or '/')} {words(one)}" for one in form_faults.of_validation(error)),
        ]
        st.error("\n".join(lines), icon=":material/error:")
    except (ValueError, RecursionError) as error:
        st.error(t("train.paste_no_json", reason=plain(error)), icon=":material/error:")
    else:
        fill(draft)
        note(t("train.pasted"))
        st.rerun()


def from_job(job: Job) -> Draft:
    """Take up the request of a job; raises ValidationError where it is none for a model."""
    return read(job.request, source=t("train.from_job", id=job.id, name=job.model_name or ""))


def from_model(model: Model) -> Draft:
    """Ask the question of a model again, where its job is gone; what a model does not tell is as usual."""
    is_timed = model.target_operator is None
    body: Body = {
        "name": model.name, "model_type": model.model_type, "features": model.features, "phases": model.phases,
        "params": model.params, "use_time_based_prediction": is_timed, "target_var": model.target_variable,
        "train_start": model.train_start.astimezone(UTC), "train_end": model.train_end.astimezone(UTC),
    }  # fmt: skip
    asked = {
        "future_minutes": model.future_minutes, "min_percent_change": model.price_change_percent,
        "direction": model.target_direction, "label_mode": model.label_mode,
        "label_resolution": model.label_resolution,
    } if is_timed else {"operator": model.target_operator, "target_value": model.target_value}  # fmt: skip
    body |= {name: value for name, value in asked.items() if value is not None}
    return read(body, source=t("train.from_model", id=model.id, name=model.name))
