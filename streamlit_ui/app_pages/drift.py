"""Drift: how far the rows a model sees are from those it learnt from."""

import streamlit as st

from shared.contracts.statistics import DriftDay
from shared.scoring.stability import MODERATE, STRONG
from streamlit_ui import address
from streamlit_ui.charts.drift import drift_days, drift_features
from streamlit_ui.formats import age, number
from streamlit_ui.session import t
from streamlit_ui.states import Level, badge, empty

_LEVELS: dict[str, Level] = {"ok": "good", "moderate": "warning", "strong": "bad"}
_WIDE = 330


def level_badge(day: DriftDay) -> str:
    """Give the level of a day as sign, colour and word."""
    if day.level is None:
        return badge("off", t("statistics.level_unknown"))
    return badge(_LEVELS[day.level], t(f"statistics.level_{day.level}"))


def draw(days: list[DriftDay]) -> None:
    """Draw the index day by day, and the features of one day."""
    if not days:
        empty(t("statistics.no_drift"), icon=":material/hourglass_top:")
        return
    st.caption(t("statistics.drift_why", moderate=number(MODERATE, 2), strong=number(STRONG, 2)))
    with st.grid(2, min_column_width=_WIDE, gap="medium"):
        with st.container():
            st.markdown(f"**{t('statistics.drift_by_day')}**")
            st.altair_chart(drift_days(days[::-1]), alt=t("statistics.drift_by_day"))
        with st.container():
            by_name = {day.day.isoformat(): day for day in days}
            chosen = by_name[address.select(t("statistics.day_utc"), list(by_name), name="day")]
            measured = t("statistics.drift_of", rows=number(chosen.rows), age=age(chosen.computed_at))
            st.markdown(f"{level_badge(chosen)} {measured}")
            if chosen.features:
                st.altair_chart(drift_features(chosen), alt=t("statistics.drift_features"))
            else:
                empty(t("statistics.no_drift_features"))
