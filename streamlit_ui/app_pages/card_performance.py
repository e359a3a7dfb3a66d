"""How good a model is on rows it has never seen: figures, curves, calibration, confusion."""

import streamlit as st

from shared.contracts.card import (
    CardCalibration,
    CardConfusion,
    CardConfusions,
    CardEarnings,
    CardFigures,
    CardThresholdPoint,
    ModelCard,
)
from streamlit_ui.app_pages.card_figures import absent, figures, per_day, picture
from streamlit_ui.app_pages.card_threshold import explore
from streamlit_ui.charts import curves as charts
from streamlit_ui.formats import NOTHING, number, percent, plain, share
from streamlit_ui.session import t


def draw(card: ModelCard, *, active_id: int | None) -> None:
    """Draw the section of a card."""
    found = card.figures
    if found is None:
        absent(t("card.figures"))
    else:
        headline(found)
    if card.curves is None:
        absent(t("card.curves"))
    else:
        st.subheader(t("card.thresholds"), anchor=False)
        st.caption(t("card.thresholds_help"))
        base_rate = found.base_rate if found else None
        explore(
            card.curves, card.thresholds, base_rate=base_rate, of=card.model.id, active_id=active_id,
            at_alert=at_alert(
                card.thresholds.alert, found, card.confusion.at_alert_threshold if card.confusion else None,
                card.money.every_alert if card.money else None,
            ),
        )  # fmt: skip
    calibration(card.calibration)
    confusions(card.confusion)


def at_alert(
    threshold: float | None, found: CardFigures | None, matrix: CardConfusion | None, earned: CardEarnings | None
) -> CardThresholdPoint | None:
    """Give what the alert threshold itself gave, where all of it is known."""
    if threshold is None or found is None or matrix is None or matrix.precision is None:
        return None
    return CardThresholdPoint(
        threshold=threshold, precision=matrix.precision, recall=matrix.recall,
        alerts_per_day=found.alerts_per_day, expected_value_pct=found.expected_value_pct,
        total_return_pct=None if earned is None or earned.mean_pct is None else earned.mean_pct * earned.trades,
    )  # fmt: skip


def headline(found: CardFigures) -> None:
    """Draw the figures of a hold-out or a test."""
    lift = (
        found.average_precision / found.base_rate if found.average_precision is not None and found.base_rate else None
    )
    figures(
        [
            (t("card.average_precision"), number(found.average_precision, 3), t("card.average_precision_help")),
            (t("card.lift"), f"{number(lift, 1)} ×" if lift is not None else NOTHING, t("card.lift_help")),
            (t("card.roc_auc"), number(found.roc_auc, 3), t("card.roc_auc_help")),
            (t("card.base_rate"), share(found.base_rate), t("card.base_rate_help")),
            (t("card.expected_value"), percent(found.expected_value_pct), t("card.expected_value_help")),
            (t("card.alerts_per_day"), per_day(found.alerts_per_day), t("card.alerts_per_day_help")),
            (t("card.brier"), number(found.brier, 4), t("card.brier_help", before=number(found.brier_uncalibrated, 4))),
            (t("card.log_loss"), number(found.log_loss, 3), t("card.log_loss_help")),
        ],
        columns=4,
    )


def calibration(found: CardCalibration | None) -> None:
    """Draw how far probabilities can be taken at their word, before and after."""
    st.subheader(t("card.calibration"), anchor=False)
    if found is None:
        absent(t("card.calibration"))
        return
    method = plain(found.method or t("card.calibration_none"))
    st.caption(t("card.calibration_help", method=method))
    series = {t("card.calibration_after"): found.after}
    if found.before:
        series[t("card.calibration_before")] = found.before
    picture(charts.calibration(series), t("card.calibration_alt"), width=620)


def confusions(found: CardConfusions | None) -> None:
    """Draw hits and misses at the three thresholds that matter."""
    st.subheader(t("card.confusion"), anchor=False)
    if found is None:
        absent(t("card.confusion"))
        return
    st.caption(t("card.confusion_help"))
    with st.grid(3, min_column_width=270, gap="medium"):
        for name, one in (
            ("decision", found.at_decision_threshold),
            ("alert", found.at_alert_threshold),
            ("half", found.at_half),
        ):
            with st.container(border=True):
                st.markdown(f"**{t(f'card.at_{name}')}** · {number(one.threshold, 3)}")
                picture(charts.confusion(one), t("card.confusion_help"))
                st.caption(
                    t(
                        "card.confusion_rates", precision=share(one.precision), recall=share(one.recall),
                        f1=number(one.f1, 3), accuracy=share(one.accuracy),
                    )
                )  # fmt: skip
