"""Statistics of one model: live beside what its training promised, over time, by phase, and drift."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import streamlit as st

from shared.contracts.prediction import ActiveModel
from shared.contracts.statistics import Changes, ModelStatistics, PhaseFigures
from streamlit_ui import address
from streamlit_ui.app_pages import drift
from streamlit_ui.app_pages.model_states import active_badge, mode_badge
from streamlit_ui.app_pages.outcome_figures import draw_comparison, draw_fates, draw_key_figures, interval
from streamlit_ui.app_pages.questions import question
from streamlit_ui.charts import outcomes
from streamlit_ui.client.jobs import list_phases
from streamlit_ui.client.transport import ServiceError
from streamlit_ui.formats import age, duration, moment, number, percent, plain, share
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, empty
from streamlit_ui.tables import dataframe

_TABS = ("figures", "calibration", "time", "phases", "drift")
_WIDE = 330
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time; None is open."""

    since: datetime | None
    until: datetime | None


def draw_header(found: ModelStatistics, model: ActiveModel | None) -> None:
    """Say which model this is, since when it predicts, and where to go from here."""
    if model is None:
        st.markdown(badge("off", t("model_states.deleted", id=found.active_model_id)))
    else:
        st.markdown(f"{active_badge(model)} {mode_badge(model)} **{plain(question(model))}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            t(
                "statistics.since", n=number(found.total.predictions), first=moment(found.first_hour, seconds=False),
                age=age(found.last_prediction_at),
            )
        )  # fmt: skip
        if model is not None:
            link("manage", model=model.id)
        link("predictions", model=found.active_model_id)


def draw(found: ModelStatistics) -> None:
    """Draw key figures and, in tabs, what stands behind them."""
    draw_key_figures(found.total, found.hold_out)
    opened, place = address.tabs(_TABS, words=lambda one: t(f"statistics.tab_{one}"))
    with place:
        match opened:
            case "calibration":
                _draw_calibration(found)
            case "time":
                _draw_time(found)
            case "phases":
                _draw_phases(found.by_phase)
            case "drift":
                drift.draw(found.drift)
            case _:
                draw_fates(found.total)
                draw_hold_out(found)
                _draw_changes(found.total.change)


def draw_hold_out(found: ModelStatistics) -> None:
    """Draw every figure beside that of the hold-out."""
    st.subheader(t("statistics.comparison"))
    promised = found.hold_out
    if promised is None:
        empty(t("statistics.no_hold_out"))
        return
    st.caption(
        t(
            "statistics.hold_out_why", span=duration(promised.days * _DAY_SECONDS if promised.days else None),
            decision=number(found.decision_threshold, 3), alert=number(found.alert_threshold, 3),
            auc=number(promised.roc_auc, 3), per_day=number(promised.alerts_per_day),
        )
    )  # fmt: skip
    draw_comparison(found.total, promised)


def _draw_changes(changes: Changes) -> None:
    st.subheader(t("statistics.changes"))
    st.caption(t("statistics.changes_why"))
    with st.grid(min_column_width=160):
        for name, one in (("all", changes.all), ("positives", changes.positives), ("alerts", changes.alerts)):
            with st.container(border=True, gap="xsmall"):
                st.metric(t(f"statistics.changes_{name}"), percent(one.mean_pct))
                st.caption(t("statistics.over_known", n=number(one.count)))


def _draw_calibration(found: ModelStatistics) -> None:
    promised = found.hold_out.calibration if found.hold_out else []
    if not found.calibration and not promised:
        empty(t("statistics.no_calibration"))
        return
    if not found.calibration:
        empty(t("statistics.no_live_calibration"), icon=":material/hourglass_top:")
    st.caption(t("statistics.calibration_why"))
    with st.grid(2, min_column_width=_WIDE, gap="medium"):
        with st.container():
            st.markdown(f"**{t('statistics.reliability')}**")
            st.altair_chart(outcomes.reliability(found.calibration, promised), alt=t("statistics.calibration_why"))
        with st.container():
            st.markdown(f"**{t('statistics.bin_counts')}**")
            st.altair_chart(outcomes.bin_counts(found.calibration, promised), alt=t("statistics.bin_counts"))


def _draw_time(found: ModelStatistics) -> None:
    by = address.select(
        t("statistics.by"), ("hour", "day"), name="by", words=lambda one: t(f"statistics.by_{one}"),
        widget=st.segmented_control,
    )  # fmt: skip
    if by == "hour":
        length = timedelta(hours=1)
        stretches: list[outcomes.Stretch] = [(one.hour, one) for one in found.by_hour]
    else:
        length = timedelta(days=1)
        stretches = [(datetime.combine(one.day, time.min, tzinfo=UTC), one) for one in found.by_day]
    st.caption(t(f"statistics.by_{by}_why"))
    if not stretches:
        empty(t("statistics.nothing_in_range"))
        return
    for name, draw_one in (("alerts", outcomes.alerts), ("precision", outcomes.precision), ("volume", outcomes.volume)):
        st.markdown(f"**{t(f'statistics.time_{name}')}**")
        st.altair_chart(draw_one(stretches, length), alt=t(f"statistics.time_{name}"))


def _draw_phases(phases: list[PhaseFigures]) -> None:
    names = _phase_names()
    rows = [
        (
            t("statistics.no_phase") if one.phase is None else names.get(one.phase, str(one.phase)),
            one,
            interval(one.alert.tp, one.alert.tp + one.alert.fp),
        )
        for one in phases
    ]
    if not rows:
        empty(t("statistics.nothing_in_range"))
        return
    st.caption(t("statistics.phases_why"))
    st.altair_chart(outcomes.phases(rows), alt=t("statistics.phases_why"))
    columns = {
        "phase": [name for name, _, _ in rows],
        "predictions": [number(one.predictions) for _, one, _ in rows],
        "alerts": [number(one.alerts) for _, one, _ in rows],
        "precision_alert": [share(one.alert.precision) for _, one, _ in rows],
        "precision_prediction": [share(one.prediction.precision) for _, one, _ in rows],
        "recall_prediction": [share(one.prediction.recall) for _, one, _ in rows],
        "base_rate": [share(one.base_rate) for _, one, _ in rows],
        "pending": [number(one.pending) for _, one, _ in rows],
        "unresolved": [number(one.unresolved) for _, one, _ in rows],
        "mean_change": [percent(one.change.alerts.mean_pct) for _, one, _ in rows],
    }
    right = {t(f"statistics.{name}"): st.column_config.TextColumn(alignment="right") for name in columns}
    right[t("statistics.phase")] = st.column_config.TextColumn(pinned=True)
    dataframe(
        {t(f"statistics.{name}"): values for name, values in columns.items()}, hide_index=True, column_config=right
    )


def _phase_names() -> dict[int, str]:
    """Give the names of phases; without the training service their numbers must do."""
    try:
        return {phase.id: phase.name for phase in list_phases(services().training).phases}
    except ServiceError:
        return {}
