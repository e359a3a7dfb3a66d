"""The form: a question, the rows to learn from, the kind of model."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import streamlit as st

from shared.contracts.jobs import Phase
from shared.contracts.model_request import CreateModel
from streamlit_ui.app_pages import catalogue as terms
from streamlit_ui.app_pages.training_catalogue import Catalogue
from streamlit_ui.app_pages.training_draft import Draft
from streamlit_ui.app_pages.training_fields import change, key, slot
from streamlit_ui.app_pages.training_presets import PRESETS, WINDOWS, asks, window
from streamlit_ui.app_pages.training_words import usual_name
from streamlit_ui.formats import compact, duration, moment, number, plain
from streamlit_ui.session import t, zone

Values = dict[str, Any]
"""Fields of a request that a part of the form was given."""
OPERATORS: Final = (">", ">=", "<", "<=", "=")
MODES: Final = ("at_horizon", "within_horizon")
RESOLUTIONS: Final = ("observed", "recording")
_MINUTE: Final = timedelta(minutes=1)


def presets(draft: Draft) -> None:
    """Draw the questions to start from; the one that is asked is marked."""
    with st.container(horizontal=True, gap="small"):
        for preset in PRESETS:
            st.button(
                t(f"train.preset_{preset.key}"), icon=preset.icon, key=f"preset_{preset.key}", on_click=change,
                kwargs=dict(preset.values), type="primary" if asks(preset, draft.wanted) else "secondary",
            )  # fmt: skip


def question(wanted: CreateModel, catalogue: Catalogue) -> Values:
    """Draw what is asked."""
    columns = {one.name: one for one in catalogue.features.features if one.family is None}
    is_timed = st.segmented_control(
        t("train.kind"), [True, False], format_func=lambda one: t("train.kind_time" if one else "train.kind_rule"),
        key=key("use_time_based_prediction"), required=True,
        default=wanted.use_time_based_prediction,
    )  # fmt: skip
    values: Values = {"use_time_based_prediction": is_timed}
    values["target_var"] = st.selectbox(
        t("train.target_var"), list(columns), key=key("target_var"), index=list(columns).index(wanted.target_var),
        format_func=lambda one: f"{one} · {terms.unit(columns[one].unit)}" if columns[one].unit else one,
        help=t("train.target_var_help"),
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        values |= _change(wanted) if is_timed else _rule(wanted, terms.unit(columns[values["target_var"]].unit))
    slot(*values)
    if is_timed:
        values |= _reading(wanted)
    return values


def _change(wanted: CreateModel) -> Values:
    values: Values = {}
    percent = float(wanted.min_percent_change or 0.01)
    values["direction"] = st.segmented_control(
        t("train.direction"), ["up", "down"], format_func=lambda one: t(f"train.direction_{one}"),
        key=key("direction"), default=wanted.direction, required=True,
    )  # fmt: skip
    values["min_percent_change"] = st.number_input(
        t("train.percent"), min_value=min(0.01, percent), max_value=1_000_000.0, step=5.0, format="%.10g", width=150,
        key=key("min_percent_change"), value=percent,
    )  # fmt: skip
    values["future_minutes"] = st.number_input(
        t("train.minutes"), min_value=1, max_value=10_080, step=1, width=150,
        key=key("future_minutes"), value=wanted.future_minutes or 1,
    )  # fmt: skip
    return values


def _rule(wanted: CreateModel, unit: str) -> Values:
    values: Values = {}
    values["operator"] = st.selectbox(
        t("train.operator"), OPERATORS, key=key("operator"), index=OPERATORS.index(wanted.operator or "="), width=90
    )  # fmt: skip
    values["target_value"] = st.number_input(
        t("train.value_unit", unit=plain(unit)) if unit else t("train.value"), format="%.10g", width=190,
        key=key("target_value"), value=float(wanted.target_value or 0),
    )  # fmt: skip
    return values


def _reading(wanted: CreateModel) -> Values:
    with st.container(horizontal=True):
        mode = st.segmented_control(
            t("train.mode"), MODES, format_func=lambda one: t(f"train.mode_{one}"), required=True,
            key=key("label_mode"), default=wanted.label_mode, help=t("train.mode_help"),
        )  # fmt: skip
        resolution = st.segmented_control(
            t("train.resolution"), RESOLUTIONS, format_func=lambda one: t(f"train.resolution_{one}"), required=True,
            key=key("label_resolution"), default=wanted.label_resolution, help=t("train.resolution_help"),
        )  # fmt: skip
    return {"label_mode": mode, "label_resolution": resolution}


def name(old: CreateModel, new: CreateModel) -> Values:
    """Draw the name: it follows the question until somebody writes another."""
    usual, field = usual_name(old), key("name")
    present = old.name
    if old.name == usual:
        # What was written at the same time as the question changed still counts.
        present = st.session_state.get(key(f"name_{usual}"), usual)
    if present == usual:
        present = usual_name(new)
        field = key(f"name_{present}")
    given = st.text_input(t("train.name"), present, key=field, max_chars=190, help=t("train.name_help"))
    slot("name")
    return {"name": given.strip()}


def rows(wanted: CreateModel, catalogue: Catalogue) -> Values:
    """Draw the window of rows and the phases."""
    data, clock = catalogue.data, zone()
    first, last = data.min_timestamp, data.max_timestamp
    assert first is not None
    assert last is not None
    about = "" if data.rows_counted else "≈ "
    st.caption(
        t("train.data", rows=about + compact(data.rows), coins=number(data.coins), first=moment(first, seconds=False),
          last=moment(last, seconds=False), clock=clock.key)
    )  # fmt: skip
    with st.container(horizontal=True, gap="xsmall"):
        for choice in WINDOWS:
            start, end = window(data, choice)
            is_chosen = (start, end) == (wanted.train_start, wanted.train_end)
            st.button(
                t(f"train.window_{choice}"), key=f"window_{choice}", on_click=change,
                kwargs={"train_start": start, "train_end": end}, icon=":material/check:" if is_chosen else None,
            )  # fmt: skip
    values: Values = {}
    with st.container(horizontal=True):
        for one in ("train_start", "train_end"):
            values[one] = _moment(one, getattr(wanted, one), first, last)
    st.caption(t("train.length", length=duration((values["train_end"] - values["train_start"]).total_seconds())))
    slot("train_start", "train_end")
    return values | _phases(wanted, catalogue.phases.phases)


def _moment(field: str, present: datetime, first: datetime, last: datetime) -> datetime:
    shown = _shown(present)
    given = st.datetime_input(
        t(f"train.{field}"), key=key(f"{field}_{zone().key}"), value=shown, step=60, width=230,
        format="YYYY-MM-DD", min_value=min(_shown(first), shown), max_value=max(_shown(last) + _MINUTE, shown),
    )  # fmt: skip
    # The field shows whole minutes: what nobody changed stays exact.
    if given is None or given == shown:
        return present
    return given.replace(tzinfo=zone()).astimezone(UTC)


def _shown(value: datetime) -> datetime:
    return value.astimezone(zone()).replace(tzinfo=None, second=0, microsecond=0)


def _phases(wanted: CreateModel, known: list[Phase]) -> Values:
    by_id = {one.id: one for one in known}
    options = sorted({*by_id, *(wanted.phases or ())})

    def words(one: int) -> str:
        phase = by_id.get(one)
        if phase is None:
            return t("train.phase_unknown", id=one)
        return (
            t("train.phase", name=phase.name, seconds=phase.interval_seconds) if phase.interval_seconds else phase.name
        )

    chosen = st.multiselect(
        t("train.phases"), options, format_func=words, placeholder=t("train.phases_all"), help=t("train.phases_help"),
        key=key("phases"), default=list(wanted.phases or ()),
    )  # fmt: skip
    slot("phases")
    return {"phases": sorted(chosen) or None}
