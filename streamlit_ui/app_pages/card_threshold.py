"""What a threshold would give: a slider over the measured ones, drawn into every curve."""

from collections.abc import Sequence

import streamlit as st

from shared.contracts.card import CardCurves, CardThresholdPoint, CardThresholds
from streamlit_ui.address import keep, told_number
from streamlit_ui.app_pages.card_figures import absent, figures, per_day, titled_picture
from streamlit_ui.charts import curves as charts
from streamlit_ui.charts.curves import Mark
from streamlit_ui.formats import number, percent, share
from streamlit_ui.places import link
from streamlit_ui.session import t
from streamlit_ui.states import live

_HALF = 0.5
_FEWEST_DIGITS, _MOST_DIGITS = 3, 6


def nearest(points: Sequence[CardThresholdPoint], threshold: float) -> CardThresholdPoint:
    """Give the measured point next to a threshold."""
    return min(points, key=lambda one: abs(one.threshold - threshold))


@live()
def explore(
    curves: CardCurves, thresholds: CardThresholds, *, base_rate: float | None, of: int, active_id: int | None = None,
    at_alert: CardThresholdPoint | None = None,
) -> None:  # fmt: skip
    """Draw the slider, what its threshold gives, and the curves with a mark there.

    A curve has some of the thresholds alone; `at_alert` is what the alert threshold itself gave.
    """
    points = sorted(curves.threshold, key=lambda one: one.threshold)
    if points and at_alert is not None and at_alert.threshold not in {one.threshold for one in points}:
        points = sorted([*points, at_alert], key=lambda one: one.threshold)
    if not points:
        absent(t("card.thresholds"))
        return
    usual = thresholds.alert if thresholds.alert is not None else (thresholds.decision or _HALF)
    chosen = _slider(points, thresholds, usual=usual, of=of)
    _told(chosen)
    if active_id is not None:
        link(
            "manage", t("card.use_threshold", threshold=number(chosen.threshold, _digits(points))),
            icon=":material/tune:", model=active_id, threshold=chosen.threshold,
        )  # fmt: skip
    marks = [Mark(name=t("card.chosen"), threshold=chosen.threshold, point=chosen, is_chosen=True)] + [
        Mark(name=name, threshold=value, point=nearest(points, value))
        for name, value in ((t("card.alert"), thresholds.alert), (t("card.decision"), thresholds.decision))
        if value is not None
    ]
    _pictures(curves, points, marks, base_rate=base_rate)


def _slider(
    points: Sequence[CardThresholdPoint], thresholds: CardThresholds, *, usual: float, of: int
) -> CardThresholdPoint:
    key = f"threshold_{of}"
    values = [one.threshold for one in points]
    usual_value = nearest(points, usual).threshold
    if key not in st.session_state:
        asked = told_number("threshold")
        st.session_state[key] = nearest(points, usual if asked is None else asked).threshold
    digits = _digits(points)
    value = st.select_slider(
        t("card.threshold"), options=values, key=key, format_func=lambda one: number(one, digits),
        help=t("card.threshold_help"),
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(t("card.jump"), width="content")
        for name, wanted in (("alert", thresholds.alert), ("decision", thresholds.decision), ("half", _HALF)):
            if wanted is not None:
                st.button(
                    t(f"card.jump_{name}"), key=f"{key}_{name}", on_click=st.session_state.__setitem__,
                    args=(key, nearest(points, wanted).threshold), help=number(wanted, digits), type="tertiary",
                )  # fmt: skip
    keep("threshold", value, usual_value)
    return nearest(points, value)


def _digits(points: Sequence[CardThresholdPoint]) -> int:
    """Give the decimals that tell the thresholds of a rare answer from each other, too."""
    for digits in range(_FEWEST_DIGITS, _MOST_DIGITS):
        if len({round(one.threshold, digits) for one in points}) == len(points):
            return digits
    return _FEWEST_DIGITS if len({one.threshold for one in points}) < len(points) else _MOST_DIGITS


def _told(point: CardThresholdPoint) -> None:
    figures(
        [
            (t("card.precision"), share(point.precision), t("card.precision_help")),
            (t("card.recall"), share(point.recall), t("card.recall_help")),
            (t("card.alerts_per_day"), per_day(point.alerts_per_day), t("card.alerts_per_day_help")),
            (t("card.expected_value"), percent(point.expected_value_pct), t("card.expected_value_help")),
            (t("card.total_return"), percent(point.total_return_pct, 0), t("card.total_return_help")),
        ]
    )


def _pictures(
    curves: CardCurves, points: Sequence[CardThresholdPoint], marks: Sequence[Mark], *, base_rate: float | None
) -> None:
    one = t("card.model")
    with st.grid(2, min_column_width=340, gap="medium"):
        if curves.precision_recall:
            chart = charts.precision_recall({one: curves.precision_recall}, base_rate=base_rate, marks=marks)
            titled_picture(t("card.pr"), chart, t("card.pr_help"))
        if curves.roc:
            titled_picture(t("card.roc"), charts.roc({one: curves.roc}, marks=marks), t("card.roc_help"))
        titled_picture(t("card.rates"), charts.rates_by_threshold(points, marks), t("card.rates_help"))
        if any(point.expected_value_pct is not None for point in points):
            titled_picture(t("card.money_by"), charts.money_by_threshold(points, marks), t("card.money_by_help"))
