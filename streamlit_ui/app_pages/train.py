"""Train: a question, the rows to learn from, and what the data say to it before anything is fitted."""

from contextlib import suppress
from http import HTTPStatus
from typing import Any

import streamlit as st
from pydantic import ValidationError

from shared.contracts.model_request import CreateModel, TuneModel
from streamlit_ui.address import keep, told, told_id
from streamlit_ui.app_pages.training_catalogue import Catalogue, load
from streamlit_ui.app_pages.training_draft import Draft, check, pack, read, unpack
from streamlit_ui.app_pages.training_faults import words
from streamlit_ui.app_pages.training_features import features
from streamlit_ui.app_pages.training_fields import begin_slots, fill, keep_draft, kept, key, show_faults
from streamlit_ui.app_pages.training_form import name, presets, question, rows
from streamlit_ui.app_pages.training_look import known, mark
from streamlit_ui.app_pages.training_model import model_type, parameters, search
from streamlit_ui.app_pages.training_more import alerts, running, validation
from streamlit_ui.app_pages.training_preflight import is_hopeless, panel
from streamlit_ui.app_pages.training_presets import first_draft
from streamlit_ui.app_pages.training_text import as_text, from_job, from_model
from streamlit_ui.app_pages.training_words import sentence
from streamlit_ui.client import jobs, models
from streamlit_ui.client.transport import Fault, Refused
from streamlit_ui.formats import code, plain
from streamlit_ui.places import go
from streamlit_ui.session import services, t
from streamlit_ui.states import empty, guarded, note, once, show_error

_ADDRESS = "request"
_ADDRESSED = "training_address"
_SOURCES = {"from_job": "jobs.unknown", "from_model": "card.missing_model"}


def render() -> None:
    """Draw the page."""
    st.title(t("places.train"))
    catalogue = load(services().training)
    if catalogue.data.min_timestamp is None or catalogue.data.max_timestamp is None:
        empty(t("train.no_rows"), icon=":material/database:")
        return
    draft = _opened(catalogue)
    begin_slots()
    presets(draft)
    if draft.source:
        st.caption(f":material/content_copy: {plain(draft.source)}")
    left, right = st.columns([7, 5], gap="medium")
    # Below both: on a phone, what is said of the request and its button stand before what is seldom changed.
    below = st.container()
    with left:
        draft = _form(draft, catalogue)
    with below:
        draft = _advanced(draft)
    keep_draft(draft)
    body = draft.body()
    _keep_address(draft, catalogue)
    wanted, faults = check(body)
    with below:
        as_text(body, services().training)
    with right:
        _side(draft, wanted, faults, mark(body))


def _opened(catalogue: Catalogue) -> Draft:
    """Give the draft that the address asks for, else that of this session, else a first one."""
    with guarded():
        for name, unknown in _SOURCES.items():
            if (asked := told(name)) is not None:
                draft = _former(name, told_id(name), unknown=t(unknown, id=plain(asked)))
                keep(name, None)
                if draft is not None:
                    fill(draft)
                    return draft
    code = told(_ADDRESS)
    if code and code != st.session_state.get(_ADDRESSED):
        found = unpack(code)
        try:
            draft = read(found)
        except ValidationError:
            st.warning(t("train.address_wrong"), icon=":material/link_off:")
        else:
            fill(draft)
            return draft
    known_draft = kept()
    if known_draft is None:
        known_draft = first_draft(catalogue.data, catalogue.features)
        fill(known_draft)
    return known_draft


def _former(name: str, source: int | None, *, unknown: str) -> Draft | None:
    training = services().training
    try:
        if source is None:
            st.warning(unknown, icon=":material/search_off:")
            return None
        if name == "from_job":
            return from_job(jobs.get_job(training, source))
        model = models.get_model(training, source)
        if model.job_id is not None:
            with suppress(Refused):
                return from_job(jobs.get_job(training, model.job_id))
        return from_model(model)
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        st.warning(unknown, icon=":material/search_off:")
    except ValidationError:
        st.warning(t("train.no_request"), icon=":material/content_copy:")
    return None


def _keep_address(draft: Draft, catalogue: Catalogue) -> None:
    first = first_draft(catalogue.data, catalogue.features)
    same_rows = first.changed(train_start=draft.wanted.train_start, train_end=draft.wanted.train_end)
    code = None if draft.body() == same_rows.body() and not draft.source else pack(draft.body())
    keep(_ADDRESS, code)
    st.session_state[_ADDRESSED] = code


def _form(draft: Draft, catalogue: Catalogue) -> Draft:
    old = draft.wanted
    with st.container(border=True):
        st.subheader(t("train.part_question"), anchor=False)
        draft = draft.changed(**question(draft.wanted, catalogue))
        draft = draft.changed(**name(old, draft.wanted))
    with st.container(border=True):
        st.subheader(t("train.part_rows"), anchor=False)
        draft = draft.changed(**rows(draft.wanted, catalogue))
    with st.container(border=True):
        st.subheader(t("train.part_features"), anchor=False)
        draft = draft.changed(**features(draft.wanted, catalogue.features))
    with st.container(border=True):
        st.subheader(t("train.part_model"), anchor=False)
        return _model(draft, catalogue)


def _advanced(draft: Draft) -> Draft:
    with st.expander(t("train.advanced"), icon=":material/tune:"):
        parts: list[tuple[str, Any]] = [("validation", validation), ("alerts", alerts), ("running", running)]
        for part, draw in parts:
            st.markdown(f"**{t(f'train.advanced_{part}')}**")
            draft = draft.changed(**draw(draft.wanted))
            st.space("small")
    return draft


def _model(draft: Draft, catalogue: Catalogue) -> Draft:
    chosen = model_type(draft.wanted, catalogue)
    if chosen != draft.wanted.model_type:
        # Hyper-parameters of another kind mean nothing here.
        draft = draft.changed(model_type=chosen, params={}, search_space={})
    kind = catalogue.model_type(chosen)
    is_search = st.toggle(t("train.search"), draft.is_search, key=key("is_search"), help=t("train.search_help"))
    if is_search:
        draft = draft.changed(**search(draft.wanted, kind))
    with st.expander(t("train.params"), icon=":material/settings:"):
        draft = draft.changed(params=parameters(draft.wanted, kind))
    return Draft(wanted=draft.wanted, is_search=bool(is_search), source=draft.source)


def _side(draft: Draft, wanted: CreateModel | None, faults: tuple[Fault, ...], request: str) -> None:
    with st.container(border=True):
        st.markdown(f"#### {sentence(draft.wanted)}")
        is_hopeless_one = is_hopeless(known(request))
        label = t("train.submit_search", trials=draft.wanted.trials) if draft.is_search else t("train.submit")
        pressed = once(
            st.button, label, type="primary", icon=":material/play_arrow:", width="stretch", key="submit",
            disabled=wanted is None or is_hopeless_one,
            help=t("train.submit_not") if wanted is None or is_hopeless_one else None,
        )  # fmt: skip
        if pressed and wanted is not None:
            _submit(wanted)
        if wanted is None:
            left = show_faults(faults)
            st.error("\n".join([t("train.see_fields"), *(f"- {code(one.pointer)} {words(one)}" for one in left)]))
            return
        panel(request, wanted)


def _submit(wanted: CreateModel) -> None:
    training = services().training
    try:
        created = (
            jobs.tune_model(training, wanted) if isinstance(wanted, TuneModel) else jobs.create_model(training, wanted)
        )
    except Refused as error:
        show_faults(error.faults)
        show_error(error)
        return
    note(t("train.submitted", id=created.job_id, name=plain(created.name)))
    go("jobs", id=created.job_id)
