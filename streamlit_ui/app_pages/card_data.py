"""The rows a model is made of."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from shared.contracts.card import ModelCard
from shared.contracts.card_data import CardProfile
from shared.contracts.training import JsonObject
from streamlit_ui.app_pages.card_figures import absent, figures, picture
from streamlit_ui.charts.periods import Step, by_phase, over_time, waterfall
from streamlit_ui.formats import NOTHING, number, plain, share
from streamlit_ui.session import t, term
from streamlit_ui.tables import dataframe

_PARTS = ("fit_rows", "calibration_rows", "holdout_rows")


def draw(card: ModelCard) -> None:
    """Draw the section of a card."""
    st.subheader(t("card.rows"), anchor=False)
    if card.counts is None:
        absent(t("card.rows"))
    else:
        _rows(card.counts)
    if card.sampling:
        with st.expander(t("card.sampling")):
            st.json(card.sampling)
    if card.profile is None:
        st.subheader(t("card.tab_data"), anchor=False)
        absent(t("card.profile"))
        return
    _over(card.profile)
    st.subheader(t("card.readings"), anchor=False)
    _readings(card.profile.readings)


def _rows(counts: Mapping[str, int]) -> None:
    whole, resolved = counts.get("rows", 0), counts.get("resolved", 0)
    purged = counts.get("purged_rows", 0)
    figures(
        [
            (t("card.rows"), number(whole), t("card.rows_help")),
            (t("card.coins"), number(counts.get("coins")), None),
            (t("card.positives"), number(counts.get("positives")), t("card.positives_help")),
            (t("card.unresolved"), share(_part(counts.get("unresolved"), whole)), t("card.unresolved_help")),
        ]
    )
    st.caption(t("card.waterfall_help"))
    steps = [(t("card.rows"), 0, whole), (f"− {t('card.unresolved')}", resolved, whole)]
    steps += [(t("card.resolved"), 0, resolved), (f"− {t('card.purged')}", resolved - purged, resolved)]
    low = 0
    for name in _PARTS:
        high = low + counts.get(name, 0)
        steps.append((t(f"card.{name}"), low, high))
        low = high
    picture(waterfall(steps, whole=whole), t("card.waterfall_help"))


def _over(profile: CardProfile) -> None:
    with st.grid(2, min_column_width=340, gap="medium"):
        with st.container():
            st.subheader(t("card.base_rate_over_time"), anchor=False)
            steps = [
                Step(
                    start=one.start, value=one.base_rate,
                    told=t("card.rows_and_coins", rows=number(one.rows), coins=number(one.coins)),
                )
                for one in profile.periods
            ]  # fmt: skip
            chart = over_time(steps, title=t("card.base_rate"), unit="share", height=240)
            picture(chart, t("card.base_rate_over_time"))
        with st.container():
            st.subheader(t("card.base_rate_by_phase"), anchor=False)
            rows = [(_phase(one.phase, one.rows), one.base_rate, one.rows) for one in profile.phases]
            picture(by_phase(rows), t("card.base_rate_by_phase"))


def _phase(phase: int | None, rows: int) -> str:
    name = t("card.phase_none") if phase is None else t("card.phase_name", phase=phase)
    return f"{name} · {number(rows)}"


def _readings(found: JsonObject) -> None:
    st.caption(t("card.readings_help"))
    rows = [
        {
            "reading": t(f"card.reading_{name}"), "resolved": found.get(f"{name}_resolved"),
            "positives": found.get(f"{name}_positives"), "rate": found.get(f"{name}_rate"),
        }
        for name in ("observed", "recording")
    ]  # fmt: skip
    dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "reading": st.column_config.TextColumn(t("card.reading")),
            "resolved": st.column_config.NumberColumn(t("card.resolved"), format="localized"),
            "positives": st.column_config.NumberColumn(t("card.positives"), format="localized"),
            "rate": st.column_config.NumberColumn(t("card.base_rate"), format="percent"),
        },
    )
    reasons = _reasons(found.get("unresolved"))
    if reasons:
        st.markdown(f"**{t('card.why_unresolved')}** " + " · ".join(reasons))
    blind = found.get("resolved_without_observation")
    if isinstance(blind, int):
        rate = found.get("without_observation_share")
        st.caption(t("card.without_observation", count=number(blind), share=share(rate) if rate else NOTHING))


def _reasons(found: Any) -> list[str]:
    if not isinstance(found, dict):
        return []
    return [f"{term(f'card.reason_{name}', plain(name))}: {number(count)}" for name, count in found.items() if count]


def _part(count: int | None, whole: int) -> float | None:
    return count / whole if count is not None and whole else None
