"""Key figures of outcomes: live, beside the hold-out, and how far they can be trusted."""

from collections.abc import Iterable
from math import sqrt
from typing import Literal

import streamlit as st

from shared.contracts.statistics import Figures, HoldOut, Judged
from streamlit_ui.charts import outcomes
from streamlit_ui.formats import NOTHING, number, percent, share, with_sign
from streamlit_ui.session import t
from streamlit_ui.tables import dataframe

FEW = 30
"""Below so many known answers a share says little."""
_NORMAL_95 = 1.959964
_BRIER_DIGITS = 4
_CARD_PIXELS = 165


def interval(hits: int, known: int) -> tuple[float, float] | None:
    """Give Wilson's 95 % interval of a share.

    >>> low, high = interval(8, 10)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    if not known:
        return None
    part, spread = hits / known, _NORMAL_95**2 / known
    middle = (part + spread / 2) / (1 + spread)
    reach = _NORMAL_95 / (1 + spread) * sqrt(part * (1 - part) / known + spread / known / 4)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def draw_key_figures(live: Figures, hold_out: HoldOut | None) -> None:
    """Draw the figures an operator asks for first, each with its difference to the hold-out."""
    alert, prediction = live.alert, live.prediction
    promised_alert = hold_out.alert if hold_out else None
    promised = hold_out.prediction if hold_out else None
    with st.grid(3, min_column_width=_CARD_PIXELS):
        _metric(
            "precision_alert", share(alert.precision), _points(alert.precision, promised_alert, "precision"),
            below=_range_words(alert.tp, alert.tp + alert.fp),
        )  # fmt: skip
        _metric(
            "precision_prediction", share(prediction.precision), _points(prediction.precision, promised, "precision"),
            below=_range_words(prediction.tp, prediction.tp + prediction.fp),
        )  # fmt: skip
        _metric(
            "recall_prediction", share(prediction.recall), _points(prediction.recall, promised, "recall"),
            below=_range_words(prediction.tp, prediction.tp + prediction.fn),
        )  # fmt: skip
        _metric(
            "brier", number(prediction.brier, _BRIER_DIGITS),
            _difference(prediction.brier, hold_out.brier if hold_out else None), inverse=True,
            below=t("statistics.over_known", n=number(live.resolved)),
        )  # fmt: skip
        _metric(
            "base_rate", share(live.base_rate),
            _point_words(live.base_rate, hold_out.base_rate if hold_out else None), neutral=True,
            below=t("statistics.over_known", n=number(live.resolved)),
        )  # fmt: skip
        _metric(
            "mean_change", percent(live.change.alerts.mean_pct), None,
            below=t("statistics.over_alerts", n=number(live.change.alerts.count)),
        )  # fmt: skip
    known = alert.tp + alert.fp
    if known < FEW:
        st.caption(t("statistics.shaky", n=number(known), few=number(FEW)))


def _metric(
    name: str, value: str, delta: str | None, *, below: str, inverse: bool = False, neutral: bool = False
) -> None:
    colour: Literal["off", "inverse", "normal"] = "off" if neutral else "inverse" if inverse else "normal"
    with st.container(border=True, gap="xsmall", height="stretch"):
        # A label of its own wraps where that of the metric would be cut off.
        st.caption(t(f"statistics.{name}"), help=t(f"statistics.{name}_help"))
        st.metric(
            t(f"statistics.{name}"), value, delta, delta_color=colour, label_visibility="collapsed",
            delta_description=t("statistics.against_hold_out") if delta else None,
        )  # fmt: skip
        st.caption(below)


def draw_fates(figures: Figures) -> None:
    """Draw what became of the predictions, and say what pending and unresolved mean."""
    st.subheader(t("statistics.fates"))
    st.altair_chart(outcomes.fates(figures), alt=t("statistics.fates"))
    st.caption(
        t(
            "statistics.fates_why", resolved=number(figures.resolved), pending=number(figures.pending),
            unresolved=number(figures.unresolved), pending_alerts=number(figures.alert.pending),
            unresolved_alerts=number(figures.alert.unresolved),
        )
    )  # fmt: skip


def draw_comparison(live: Figures, hold_out: HoldOut) -> None:
    """Draw each figure live, in the hold-out, and the difference."""
    rows = [
        *_judged_rows("prediction", live.prediction, hold_out.prediction),
        ("brier", live.prediction.brier, hold_out.brier, False),
        ("base_rate", live.base_rate, hold_out.base_rate, True),
        *_judged_rows("alert", live.alert, hold_out.alert),
    ]
    dataframe(
        {
            t("statistics.figure"): [t(f"statistics.{name}") for name, *_ in rows],
            t("statistics.live_figures"): [_words(value, is_share) for _, value, _, is_share in rows],
            t("statistics.hold_out"): [_words(promised, is_share) for _, _, promised, is_share in rows],
            t("statistics.difference"): [
                (_point_words(value, promised) if is_share else _difference(value, promised)) or NOTHING
                for _, value, promised, is_share in rows
            ],
        },
        hide_index=True,
        column_config={
            t(f"statistics.{name}"): st.column_config.TextColumn(alignment="right")
            for name in ("live_figures", "hold_out", "difference")
        },
    )


def _judged_rows(
    name: str, live: Judged, promised: Judged | None
) -> Iterable[tuple[str, float | None, float | None, bool]]:
    for figure in ("precision", "recall", "f1"):
        yield f"{figure}_{name}", getattr(live, figure), getattr(promised, figure, None), True


def _words(value: float | None, is_share: bool) -> str:
    return share(value) if is_share else number(value, _BRIER_DIGITS)


def _points(live: float | None, promised: Judged | None, figure: str) -> str | None:
    return _point_words(live, getattr(promised, figure, None))


def _point_words(live: float | None, promised: float | None) -> str | None:
    return None if live is None or promised is None else with_sign((live - promised) * 100, 1, t("words.points"))


def _difference(live: float | None, promised: float | None) -> str | None:
    return None if live is None or promised is None else with_sign(live - promised, _BRIER_DIGITS)


def _range_words(hits: int, known: int) -> str:
    found = interval(hits, known)
    if found is None:
        return t("statistics.none_known")
    low, high = (number(edge * 100) for edge in found)
    return t("statistics.interval", low=low, high=high, hits=number(hits), n=number(known))
