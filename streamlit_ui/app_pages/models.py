"""Trained models: the list, and the way to one, to tests and to comparisons."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from shared.contracts.results import FEWEST, MOST
from shared.contracts.training import Model
from streamlit_ui.address import keep, select, told, told_id
from streamlit_ui.app_pages import comparison, model_card, row_table, test_result
from streamlit_ui.app_pages.card_actions import ask_compare, what_is_asked
from streamlit_ui.app_pages.card_robustness import OVERFITTED
from streamlit_ui.app_pages.questions import question
from streamlit_ui.app_pages.tabbed import tabbed
from streamlit_ui.client.jobs import list_model_types
from streamlit_ui.client.models import list_models
from streamlit_ui.formats import NOTHING, number, plain
from streamlit_ui.places import go, link
from streamlit_ui.session import services, t
from streamlit_ui.states import empty, live
from streamlit_ui.tables import moment_column

MOST_SHOWN = 1000
_ALL = ""
_ALL_AT_ONCE = 15
_HEIGHT = 620


def render() -> None:
    """Draw the page."""
    if (model_id := told_id()) is not None:
        model_card.draw(model_id)
    elif (test_id := told_id("test")) is not None:
        test_result.draw(test_id)
    elif (comparison_id := told_id("comparison")) is not None:
        comparison.draw(comparison_id)
    else:
        _tell_of_odd_ids()
        st.title(t("places.models"), anchor=False)
        tabbed(
            "view",
            {
                "models": (t("places.models"), _models),
                "tests": (t("models.tests"), test_result.draw_list),
                "comparisons": (t("models.comparisons"), comparison.draw_list),
            },
        )


def _tell_of_odd_ids() -> None:
    missing = {"id": "card.missing_model", "test": "models.missing_test", "comparison": "comparison.missing"}
    for name, words in missing.items():
        if (odd := told(name)) is not None:
            empty(t(words, id=plain(odd)), icon=":material/search_off:")


def _models() -> None:
    training = services().training
    types = {one.name: one.title for one in list_model_types(training).model_types}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            t("models.search"), value=told("search") or "", placeholder=t("models.search_hint"), max_chars=200,
            icon=":material/search:", key="search_models", width=320,
        )  # fmt: skip
        keep("search", search)
        chosen = select(
            t("models.type"), [_ALL, *types], name="type", width=220,
            words=lambda one: types.get(one, t("models.all_types")),
        )  # fmt: skip
        link("train", t("models.train"), icon=":material/add:")
    found = list_models(training, search=search or None, model_type=chosen or None, limit=MOST_SHOWN)
    if not found.models:
        empty(t("models.none_found" if search or chosen else "models.none"))
        return
    shown, whole = number(len(found.models)), number(found.total)
    st.caption(t("models.shown" if found.total == len(found.models) else "models.shown_of", count=shown, all=whole))
    _table(found.models)


@live()
def _table(models: Sequence[Model]) -> None:
    known = {one.id: one for one in models}
    found = row_table.draw(
        frame(models), list(known), key="models_table", mode=["multi-row", "single-cell"], column_config=_columns(),
        height="content" if len(models) <= _ALL_AT_ONCE else _HEIGHT, placeholder=NOTHING, alt=t("places.models"),
    )  # fmt: skip
    if found.opened is not None:
        go("models", id=found.opened)
    chosen = [known[one] for one in found.ticked]
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            t("models.compare", count=len(chosen)) if chosen else t("card.compare"), icon=":material/compare_arrows:",
            disabled=not FEWEST <= len(chosen) <= MOST, key="compare_chosen",
        ):  # fmt: skip
            ask_compare(chosen)
        if len(chosen) == 1:
            link(
                "models", t("models.open", name=plain(chosen[0].name)), icon=":material/open_in_full:", id=chosen[0].id
            )
        st.caption(t("models.how", fewest=FEWEST, most=MOST))


def frame(models: Sequence[Model]) -> pd.DataFrame:
    """Give the rows of the table."""
    # Many models answer the same question, and numbers in words take their time.
    words: dict[tuple[object, ...], str] = {}
    for model in models:
        if (asked := what_is_asked(model)) not in words:
            words[asked] = question(model)
    return pd.DataFrame([_row(model, words[what_is_asked(model)]) for model in models])


def _row(model: Model, asked: str) -> dict[str, Any]:
    matrix = model.confusion_matrix
    # A fold without a positive row has no score.
    scores = [one for one in (model.cv_scores or {}).get("test_average_precision") or () if one is not None]
    rows = matrix.tp + matrix.tn + matrix.fp + matrix.fn if matrix else 0
    return {
        "name": model.name,
        "question": asked,
        "type": model.model_type,
        "roc_auc": model.roc_auc,
        "average_precision": sum(scores) / len(scores) if scores else None,
        "precision": _in_percent(model.training_precision),
        "recall": _in_percent(model.training_recall),
        "f1": model.training_f1,
        "expected_value": model.expected_value_pct,
        "base_rate": _in_percent((matrix.tp + matrix.fn) / rows) if matrix and rows else None,
        "gap": model.cv_overfitting_gap,
        "warnings": len(model.warnings),
        "trained": model.created_at,
    }


def _in_percent(value: float | None) -> float | None:
    return None if value is None else value * 100


def _columns() -> dict[str, Any]:
    of = st.column_config
    return {
        "name": of.TextColumn(t("models.name"), width=190),
        "question": of.TextColumn(t("models.question"), width=220, help=t("models.question_help")),
        "type": of.TextColumn(t("models.type"), width=110),
        "roc_auc": of.NumberColumn(t("card.roc_auc"), format="%.3f", help=t("card.roc_auc_help")),
        "average_precision": of.NumberColumn(
            t("models.average_precision"), format="%.3f", help=t("models.average_precision_help")
        ),
        "precision": of.NumberColumn(t("card.precision"), format="%.1f %%", help=t("models.at_decision")),
        "recall": of.NumberColumn(t("card.recall"), format="%.1f %%", help=t("models.at_decision")),
        "f1": of.NumberColumn("F1", format="%.3f", help=t("models.at_decision")),
        "expected_value": of.NumberColumn(
            t("card.expected_value"), format="%+.2f %%", help=t("card.expected_value_help")
        ),
        "base_rate": of.NumberColumn(t("card.base_rate"), format="%.1f %%", help=t("card.base_rate_help")),
        "gap": of.NumberColumn(t("models.gap"), format="%.3f", help=t("card.gap_help", bound=number(OVERFITTED, 1))),
        "warnings": of.NumberColumn(t("models.warnings"), format="%d", width="small"),
        "trained": moment_column(t("models.trained"), seconds=False),
    }
