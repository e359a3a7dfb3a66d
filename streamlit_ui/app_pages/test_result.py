"""Tests of models on other rows: the list, and one of them beside what training said."""

from typing import Literal

import streamlit as st

from shared.contracts.card import ModelCard
from shared.contracts.results import TestResult
from streamlit_ui.address import told_id
from streamlit_ui.app_pages import card_money, card_performance, card_robustness
from streamlit_ui.app_pages.card_figures import absent, titled_picture, warn
from streamlit_ui.app_pages.card_measured import Measured
from streamlit_ui.app_pages.card_tests import change, table
from streamlit_ui.app_pages.card_threshold import explore
from streamlit_ui.app_pages.questions import question
from streamlit_ui.charts import curves as charts
from streamlit_ui.client import models as client
from streamlit_ui.client.missing import if_there
from streamlit_ui.client.transport import ServiceError
from streamlit_ui.formats import moment, number, percent, plain, share, with_sign
from streamlit_ui.places import go, link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, confirm, empty, note, show_error

MOST_SHOWN = 200
MOST_NAMED = 1000
_POINTS = 100


def draw_list() -> None:
    """Draw the tests, newest first, of all models or of one."""
    training, of = services().training, told_id("of")
    found = client.list_tests(training, model_id=of, limit=MOST_SHOWN)
    if of is not None:
        link("models", t("models.all_tests"), icon=":material/filter_alt_off:", view="tests")
    if not found.test_results:
        empty(t("models.no_tests"))
        return
    names = named()
    st.caption(t("models.tests_shown", count=number(len(found.test_results)), all=number(found.total)))
    table(found.test_results, names)


def named() -> dict[int, str]:
    """Give the names of models by id: one question for all of them."""
    return {one.id: one.name for one in client.list_models(services().training, limit=MOST_NAMED).models}


def draw(test_id: int) -> None:
    """Draw one test."""
    link("models", t("models.all_tests"), icon=":material/arrow_back:", view="tests")
    found = if_there(client.get_test, services().training, test_id)
    if found is None:
        empty(t("models.missing_test", id=test_id), icon=":material/search_off:")
        return
    card: ModelCard | None = None
    try:
        card = client.get_card(services().training, found.model_id)
    except ServiceError as error:
        show_error(error)
    _head(found, card)
    # What the head says in full is not said again.
    warn([one for one in found.warnings if one.code != "overlap" or not found.overlap_note])
    thresholds = card.thresholds if card else None
    measured = Measured.of(
        found.metrics or {}, roc_auc=found.roc_auc, expected_value_pct=found.expected_value_pct,
        decision_threshold=thresholds.decision if thresholds else None,
        alert_threshold=thresholds.alert if thresholds else None,
    )  # fmt: skip
    _against(found, measured, card)
    curves, figures = measured.curves(), measured.figures()
    if curves is None or figures is None:
        absent(t("card.curves"))
        return
    if thresholds is not None:
        st.subheader(t("card.thresholds"), anchor=False)
        explore(
            curves, thresholds, base_rate=figures.base_rate, of=-test_id,
            at_alert=card_performance.at_alert(
                thresholds.alert, figures, measured.at_alert_threshold,
                measured.money.every_alert if measured.money else None,
            ),
        )  # fmt: skip
    st.subheader(t("card.periods"), anchor=False)
    card_robustness.periods(measured.periods)
    if measured.money is not None:
        st.subheader(t("card.tab_money"), anchor=False)
        card_money.earned(measured.money)
    card_performance.confusions(measured.confusions())


def _head(found: TestResult, card: ModelCard | None) -> None:
    name = card.model.name if card else t("models.gone", id=found.model_id)
    st.title(t("models.test_of", name=plain(name)), anchor=False)
    asked = f"**{plain(question(card.model))}** &nbsp;·&nbsp; " if card else ""
    st.markdown(
        asked
        + t(
            "models.tested_on", start=moment(found.test_start, seconds=False),
            end=moment(found.test_end, seconds=False), rows=number(found.num_samples),
            positives=number(found.num_positive),
        )
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        link("models", t("models.to_card"), icon=":material/deployed_code:", id=found.model_id)
        if st.button(t("models.delete_test"), icon=":material/delete:", key="delete_test"):
            _ask_delete(found.id)
    if found.has_overlap:
        st.error(
            plain(found.overlap_note) if found.overlap_note else t("models.overlap"),
            icon=":material/join_inner:",
            title=t("models.overlap"),
        )
    elif found.overlap_note:
        st.info(plain(found.overlap_note), icon=":material/info:")


def _ask_delete(test_id: int) -> None:
    def delete() -> None:
        client.delete_test(services().training, test_id)
        note(t("models.test_deleted"))
        go("models", view="tests")

    confirm(t("models.delete_test"), t("models.delete_test_words"), action=t("card.delete"), do=delete)


def _against(found: TestResult, measured: Measured, card: ModelCard | None) -> None:
    st.subheader(t("models.against"), anchor=False)
    worse = found.is_overfitted
    if worse is not None:
        words = t("models.degraded" if worse else "models.not_degraded")
        st.markdown(badge("bad" if worse else "good", words))
    st.caption(t("models.against_help"))
    before = card.figures if card else None
    _beside(
        [
            (t("card.average_precision"), measured.average_precision, before.average_precision if before else None, 3),
            (t("card.roc_auc"), found.roc_auc, before.roc_auc if before else None, 3),
            ("F1", found.f1_score, found.train_f1, 3),
            (t("card.precision"), found.precision_score, found.train_precision, None),
            (t("card.recall"), found.recall, found.train_recall, None),
            (t("card.accuracy"), found.accuracy, found.train_accuracy, None),
            (t("card.base_rate"), measured.base_rate, before.base_rate if before else None, None),
        ],
        money=(found.expected_value_pct, before.expected_value_pct if before else None),
    )
    if card is None or measured.precision_recall_curve is None:
        return
    then, now = t("models.in_training"), t("models.in_test")
    with st.grid(2, min_column_width=340, gap="medium"):
        if card.curves and card.curves.precision_recall:
            series = {then: card.curves.precision_recall, now: measured.precision_recall_curve}
            chart = charts.precision_recall(series, base_rate=measured.base_rate)
            titled_picture(t("card.pr"), chart, t("card.pr_help"))
        if card.calibration and measured.calibration_bins:
            bins = {then: card.calibration.after, now: measured.calibration_bins}
            titled_picture(t("card.calibration"), charts.calibration(bins), t("card.calibration_alt"))


def _beside(
    rows: list[tuple[str, float | None, float | None, int | None]], *, money: tuple[float | None, float | None]
) -> None:
    with st.grid(4, min_column_width=150):
        for label, now, before, digits in rows:
            moved = change(now, before)
            if moved is None:
                told = None
            elif digits:
                told = with_sign(moved, digits)
            else:
                told = with_sign(moved * _POINTS, 1, t("words.points"))
            value = number(now, digits) if digits else share(now)
            was = number(before, digits) if digits else share(before)
            # More or fewer positive rows are neither good nor bad.
            colour: Literal["normal", "off"] = "off" if label == t("card.base_rate") else "normal"
            st.metric(label, value, delta=told, delta_color=colour, border=True, help=t("models.was", value=was))
        moved = change(*money)
        told = None if moved is None else with_sign(moved, 2, t("words.points"))
        st.metric(
            t("card.expected_value"), percent(money[0]), delta=told, border=True,
            help=t("models.was", value=percent(money[1])),
        )  # fmt: skip
