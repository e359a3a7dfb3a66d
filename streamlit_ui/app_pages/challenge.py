"""A shadow beside the live model of its line, on the rows that both answered."""

import streamlit as st

from shared.contracts.prediction import ActiveModel
from shared.contracts.promotions import AutoPromotion, Challenge, Figures, Metric
from streamlit_ui.app_pages.known_models import model_name
from streamlit_ui.formats import number, percent, plain, share
from streamlit_ui.session import t
from streamlit_ui.states import badge
from streamlit_ui.tables import dataframe

_BRIER_DIGITS = 4
_ROWS = (
    "outcomes", "positives", "precision", "alerts", "alert_precision", "brier", "returns", "mean_return_pct"
)  # fmt: skip


def condition(asked: AutoPromotion) -> str:
    """Say what an auto-promotion asks for."""
    return t(
        "manage.condition", metric=t(f"manage.metric_{asked.metric}"), margin=_points(asked.metric, asked.margin),
        n=number(asked.min_outcomes),
    )  # fmt: skip


def draw(found: Challenge, models: dict[int, ActiveModel]) -> None:
    """Draw figures of both, the lead, what chance may bring, and what is missing."""
    if found.live_active_model_id is None or found.challenger is None or found.live is None:
        st.caption(t("manage.no_live", line=plain(found.line)))
        _draw_missing(found)
        return
    st.caption(
        t("manage.contest_why", pairs=number(found.pairs), live=plain(model_name(models, found.live_active_model_id)))
    )
    challenger, live = found.challenger, found.live
    dataframe(
        {
            t("manage.contest_figure"): [t(f"manage.contest_{name}") for name in _ROWS],
            t("manage.contest_challenger"): [_words(challenger, name) for name in _ROWS],
            t("manage.contest_live"): [_words(live, name) for name in _ROWS],
        },
        hide_index=True,
        column_config={
            t(f"manage.contest_{name}"): st.column_config.TextColumn(alignment="right")
            for name in ("challenger", "live")
        },
    )
    asked = found.auto_promotion
    if asked is not None:
        lead, chance = (_points(asked.metric, value) for value in (found.lead, found.chance))
        st.markdown(t("manage.lead", condition=condition(asked), lead=lead, chance=chance, coins=number(found.coins)))
    if found.ready:
        st.markdown(badge("good", t("manage.ready")))
    _draw_missing(found)


def _draw_missing(found: Challenge) -> None:
    if found.missing:
        st.markdown("\n".join([t("manage.missing"), *(f"- {plain(sentence)}" for sentence in found.missing)]))


def _words(figures: Figures, name: str) -> str:
    value = getattr(figures, name)
    match name:
        case "precision" | "alert_precision":
            return share(value)
        case "brier":
            return number(value, _BRIER_DIGITS)
        case "mean_return_pct":
            return percent(value)
        case _:
            return number(value)


def _points(metric: Metric, value: float | None) -> str:
    if metric == "brier":
        return number(value, _BRIER_DIGITS)
    points = None if value is None else value if metric == "mean_return" else value * 100
    return number(points, 2, t("words.points"))
