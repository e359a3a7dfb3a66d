"""Whether a model is as good at every time, and no better on what it has learnt."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from shared.contracts.card import CardCrossValidation, CardPeriod, ModelCard
from shared.contracts.training import JsonObject
from streamlit_ui.app_pages.card_figures import absent, figures, picture
from streamlit_ui.app_pages.card_tests import table
from streamlit_ui.charts.periods import Step, folds, over_time
from streamlit_ui.client.models import list_tests
from streamlit_ui.formats import NOTHING, number
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, empty
from streamlit_ui.tables import dataframe

_SCORES = ("average_precision", "f1", "precision", "recall", "accuracy")
OVERFITTED = 0.1
MOST_TESTS = 50


def draw(card: ModelCard) -> None:
    """Draw the section of a card."""
    st.subheader(t("card.periods"), anchor=False)
    periods(card.periods)
    st.subheader(t("card.cross_validation"), anchor=False)
    _folds(card.cross_validation)
    if card.trials:
        st.subheader(t("card.trials"), anchor=False)
        _trials(card.trials)
    st.subheader(t("card.tests"), anchor=False)
    _tests(card.model.id)


def _tests(model_id: int) -> None:
    st.caption(t("card.tests_help"))
    found = list_tests(services().training, model_id=model_id, limit=MOST_TESTS)
    if found.test_results:
        table(found.test_results, {})
    else:
        empty(t("card.no_tests"), icon=":material/science:")


def periods(found: Sequence[CardPeriod] | None) -> None:
    """Draw the stretches of a hold-out or of a test, one after the other."""
    if found is None:
        absent(t("card.periods"))
        return
    st.caption(t("card.periods_help", minutes=number(found[0].minutes if found else 0), count=len(found)))
    rows = [t("card.rows_of", rows=number(one.rows), alerts=number(one.alerts)) for one in found]
    scores = [
        Step(start=one.start, value=one.average_precision, beside=one.base_rate, told=told)
        for one, told in zip(found, rows, strict=True)
    ]
    hits = [
        Step(start=one.start, value=one.precision, beside=one.base_rate, told=told)
        for one, told in zip(found, rows, strict=True)
    ]
    money = [
        Step(start=one.start, value=one.expected_value_pct, told=told) for one, told in zip(found, rows, strict=True)
    ]
    base = t("card.base_rate")
    _worst(found)
    with st.grid(3, min_column_width=300, gap="medium"):
        with st.container():
            st.markdown(f"**{t('card.average_precision')}** :gray[(- - {base})]")
            chart = over_time(scores, title=t("card.average_precision"), unit="share", beside=base)
            picture(chart, t("card.periods_alt"))
        with st.container():
            st.markdown(f"**{t('card.alert_precision')}** :gray[(- - {base})]")
            chart = over_time(hits, title=t("card.precision"), unit="share", beside=base)
            picture(chart, t("card.periods_alt"))
        if any(one.value is not None for one in money):
            with st.container():
                st.markdown(f"**{t('card.expected_value')}**")
                chart = over_time(money, title=t("card.expected_value_axis"), unit="percent", zero=True)
                picture(chart, t("card.periods_alt"))


def _worst(found: Sequence[CardPeriod]) -> None:
    told = [one.average_precision for one in found if one.average_precision is not None]
    above = [
        one.average_precision > one.base_rate
        for one in found
        if one.average_precision is not None and one.base_rate is not None
    ]
    figures(
        [
            (t("card.lowest_ap"), number(min(told, default=None), 3), t("card.lowest_ap_help")),
            (t("card.highest_ap"), number(max(told, default=None), 3), None),
            (
                t("card.above_guessing"),
                t("card.so_many", some=sum(above), all=len(above)) if above else NOTHING,
                t("card.above_guessing_help"),
            ),
        ],
        width=200,
    )


def _folds(found: CardCrossValidation | None) -> None:
    if found is None:
        absent(t("card.cross_validation"))
        return
    st.caption(t("card.folds_help"))
    train, test = _scores(found.scores, "train_average_precision"), _scores(found.scores, "test_average_precision")
    gap = found.overfitting_gap
    # Of the folds that have both: one without a positive row has no score.
    apart = [
        learnt - unseen
        for learnt, unseen in zip(train, test, strict=False)
        if learnt is not None and unseen is not None
    ]
    distance = sum(apart) / len(apart) if apart else None
    if gap is not None:
        worse = gap > OVERFITTED
        st.markdown(badge("bad" if worse else "good", t("card.gap_bad" if worse else "card.gap_good")))
    figures(
        [
            (t("card.gap"), number(_rounded(gap), 3), t("card.gap_help", bound=number(OVERFITTED, 1))),
            (t("card.distance"), number(_rounded(distance), 3), t("card.distance_help")),
        ]
    )
    if train and test:
        picture(
            folds(train, test, title=t("card.average_precision")), t("card.folds_alt"), width=620
        )  # fmt: skip
    scores = [f"{part}_{name}" for part in ("train", "test") for name in _SCORES]
    rows = [
        {
            "fold": fold + 1,
            "train_rows": _at(found.scores, "train_rows", fold), "test_rows": _at(found.scores, "test_rows", fold),
            **{name: _at(found.scores, name, fold) for name in scores},
        }
        for fold in range(max(len(test), len(_scores(found.scores, "test_f1"))))
    ]  # fmt: skip
    with st.expander(t("card.folds_table")):
        titles = {"fold": t("card.fold"), "train_rows": t("card.train_rows"), "test_rows": t("card.test_rows")}
        columns: dict[str, Any] = {name: st.column_config.NumberColumn(title) for name, title in titles.items()}
        for part in ("train", "test"):
            for name in _SCORES:
                label = f"{t(f'card.{name}')} ({t(f'card.fold_{part}')})"
                columns[f"{part}_{name}"] = st.column_config.NumberColumn(label, format="%.3f")
        dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns)


def _trials(trials: Sequence[JsonObject]) -> None:
    st.caption(t("card.trials_help"))
    values = [float(one["value"]) for one in trials if isinstance(one.get("value"), int | float)]
    rows = [
        {
            "number": one.get("number"), "value": one.get("value"), "state": one.get("state"),
            "seconds": one.get("seconds"),
            "params": ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                                for name, value in (one.get("params") or {}).items()),
        }
        for one in trials
    ]  # fmt: skip
    dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "number": st.column_config.NumberColumn(t("card.trial"), width="small"),
            "value": st.column_config.ProgressColumn(
                t("card.average_precision"), format="%.4f", min_value=0.0, max_value=max(values, default=1.0) or 1.0
            ),
            "state": st.column_config.TextColumn(t("card.state")),
            "seconds": st.column_config.NumberColumn(t("card.seconds_column"), format="%.1f s"),
            "params": st.column_config.TextColumn(t("card.params"), width="large"),
        },
    )


def _scores(scores: JsonObject, name: str) -> list[float | None]:
    found = scores.get(name)
    return [None if one is None else float(one) for one in found] if isinstance(found, list) else []


def _at(scores: JsonObject, name: str, fold: int) -> float | None:
    found = scores.get(name)
    return found[fold] if isinstance(found, list) and fold < len(found) else None


def _rounded(value: float | None) -> float | None:
    # A tiny negative number would be written as minus zero.
    return None if value is None else round(value, 3) + 0.0
