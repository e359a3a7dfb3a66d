"""What the data say to the request: drawn beside the form, looked for again until it is there."""

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from shared.contracts.model_request import CreateModel
from shared.contracts.preflight import Parts, PreflightReport
from streamlit_ui import formats
from streamlit_ui.app_pages import catalogue
from streamlit_ui.app_pages.training_fields import change, show_faults
from streamlit_ui.app_pages.training_look import Outcome, failure, forget, give_up, known, look
from streamlit_ui.app_pages.training_words import exact
from streamlit_ui.charts.preflight import parts_bar
from streamlit_ui.client.transport import KeyNeeded, Refused, ServiceError
from streamlit_ui.formats import compact, duration, moment, number, share, size
from streamlit_ui.session import services, t, term
from streamlit_ui.states import badge, live, show_error
from streamlit_ui.tables import dataframe

AGAIN_SECONDS = 0.7
_SKELETON = 120
_FEW = 8


def panel(request: str, wanted: CreateModel) -> None:
    """Draw what is known of a request, or look for it."""
    outcome = known(request)
    if outcome is not None:
        place = st.container()
    else:
        # Takes the place of what was said of another request at once.
        place = st.skeleton(height=_SKELETON)
        try:
            if (failed := failure(request)) is not None:
                raise failed
            outcome = look(request, wanted, services().training)
        except KeyNeeded:
            raise
        except ServiceError as error:
            with place.container():
                show_error(error)
            return
        if is_hopeless(outcome):
            # The button above was drawn before this was known.
            st.rerun()
        place = place.container()
    with place:
        if outcome is None:
            _waiting(request, wanted)
        else:
            _head(request, outcome)
            _outcome(outcome, wanted)


def _head(request: str, outcome: Outcome) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{t('train.preflight')}** &nbsp; {_verdict(outcome)}")
        st.button(
            t("train.again"), key="preflight_again", icon=":material/refresh:", type="tertiary", on_click=forget,
            args=(request,), help=t("train.again_help"),
        )  # fmt: skip


@live(AGAIN_SECONDS)
def _waiting(request: str, wanted: CreateModel) -> None:
    st.caption(f":material/progress_activity: {t('train.looking')}")
    st.skeleton(height=_SKELETON)
    try:
        if look(request, wanted, services().training) is None:
            return
    except ServiceError as error:
        # Drawn whole again, the page tells of it and asks no more by itself.
        give_up(request, error)
    st.rerun()


def is_hopeless(outcome: Outcome | None) -> bool:
    """Tell whether a job would fail."""
    return isinstance(outcome, Refused) or (outcome is not None and not outcome.ok)


def _verdict(outcome: Outcome) -> str:
    if is_hopeless(outcome):
        return badge("bad", t("train.verdict_bad"))
    if isinstance(outcome, PreflightReport) and outcome.warnings:
        return badge("warning", t("train.verdict_warned", count=len(outcome.warnings)))
    return badge("good", t("train.verdict_good"))


def _outcome(outcome: Outcome, wanted: CreateModel) -> None:
    if isinstance(outcome, Refused):
        left = show_faults(outcome.faults)
        if left or not outcome.faults:
            show_error(outcome)
        else:
            st.error(t("train.see_fields"), icon=":material/block:")
        return
    for sentence in outcome.errors:
        st.error(formats.plain(sentence), icon=":material/error:")
    _thresholds(outcome, wanted)
    _figures(outcome, wanted)
    if outcome.parts is not None:
        _parts(outcome.parts)
    warned = [catalogue.warning(one) for one in outcome.warnings]
    if warned:
        st.warning("\n".join(f"- {one}" for one in warned) if len(warned) > 1 else warned[0], icon=":material/warning:")
    _details(outcome)


def _thresholds(report: PreflightReport, wanted: CreateModel) -> None:
    field = "min_percent_change" if wanted.use_time_based_prediction else "target_value"
    unit = " %" if wanted.use_time_based_prediction else ""
    usable = {"workable": report.workable_threshold, "nearest": report.nearest_threshold}
    if report.workable_threshold is not None:
        # The other one leaves too few rows of one answer.
        del usable["nearest"]
    for name, value in usable.items():
        if value is not None:
            st.button(
                t(f"train.use_{name}", value=exact(_tidy(value, wanted)) + unit), on_click=change, key=f"use_{name}",
                kwargs={field: _tidy(value, wanted)}, icon=":material/auto_fix_high:",
            )  # fmt: skip


def _tidy(value: float, wanted: CreateModel) -> float:
    if not wanted.use_time_based_prediction:
        return value
    # Away from what was asked for, where more than the nearest is met.
    cents = value * 100
    rounded = math.floor(cents) if value < (wanted.min_percent_change or 0) else math.ceil(cents)
    return max(0.01, rounded / 100)


def _figures(report: PreflightReport, wanted: CreateModel) -> None:
    with st.grid(2, min_column_width=150, gap="xsmall"):
        st.metric(
            t("train.rows"), compact(report.rows), border=True, help=t("train.rows_help"),
            delta=t("train.coins", count=number(report.coins)), delta_color="off", delta_arrow="off",
        )  # fmt: skip
        st.metric(
            t("train.base_rate"), share(report.base_rate, 2), border=True, help=t("train.base_rate_help"),
            delta=t("train.positives", count=number(report.positives)), delta_color="off", delta_arrow="off",
        )  # fmt: skip
        st.metric(
            t("train.resolved"), compact(report.resolved), border=True, help=t("train.resolved_help"),
            delta=t("train.unresolved", count=number(report.unresolved)), delta_color="off", delta_arrow="off",
        )  # fmt: skip
        st.metric(
            t("train.takes"), duration(report.estimated_seconds), border=True, help=t("train.takes_help"),
            delta=size(report.estimated_bytes), delta_color="off", delta_arrow="off",
        )  # fmt: skip
    if wanted.use_time_based_prediction and report.base_rate_recording is not None:
        st.caption(
            t("train.readings", observed=share(report.base_rate_observed, 2),
              recording=share(report.base_rate_recording, 2),
              silent=number(report.resolved_without_observation))
        )  # fmt: skip


def _parts(parts: Parts) -> None:
    named = [(t(f"train.part_{name}"), getattr(parts, name)) for name in ("fit", "calibration", "holdout", "purged")]
    words = [f"{name}: {number(count)}" for name, count in named]
    st.altair_chart(
        parts_bar([(name, count, number(count)) for name, count in named], axis=t("train.parts_axis"),
                  part=t("train.part"), rows=t("train.rows"), share=t("train.share")),
        alt=", ".join(words),
    )  # fmt: skip


def _details(report: PreflightReport) -> None:
    gaps = sorted(((value, name) for name, value in report.null_share.items() if value > 0), reverse=True)
    with st.expander(t("train.details"), icon=":material/query_stats:"):
        if report.unresolved_by_reason:
            st.markdown(f"**{t('train.why_unresolved')}**")
            st.markdown(
                "\n".join(
                    f"- {term(f'card.reason_{name}', formats.plain(name))}: {number(count)}"
                    for name, count in report.unresolved_by_reason.items()
                )
            )
        if report.missing_columns:
            st.markdown(t("train.missing", names=", ".join(formats.code(name) for name in report.missing_columns)))
        if gaps:
            st.markdown(f"**{t('train.nulls')}**")
            _nulls(gaps)
        lines = [t("train.history", rows=number(report.history_rows))]
        if report.recording_clock:
            lines.append(t("train.clock", moment=moment(report.recording_clock)))
        st.caption(" · ".join(lines))


def _nulls(gaps: Sequence[tuple[float, str]]) -> None:
    frame = pd.DataFrame([{"name": name, "share": value * 100} for value, name in gaps])
    dataframe(
        frame, hide_index=True, height="auto" if len(gaps) <= _FEW else 320,
        column_config={
            "name": st.column_config.TextColumn(t("train.feature"), width="medium"),
            "share": st.column_config.ProgressColumn(
                t("train.null_share"), min_value=0, max_value=100, format="%.1f %%", width="medium"
            ),
        },
    )  # fmt: skip
