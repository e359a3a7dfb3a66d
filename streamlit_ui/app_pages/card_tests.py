"""Tests of models as a table: a click opens one."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from shared.contracts.results import TestResult
from streamlit_ui.app_pages import row_table
from streamlit_ui.formats import NOTHING
from streamlit_ui.places import go
from streamlit_ui.session import t
from streamlit_ui.tables import moment_column


def table(tests: Sequence[TestResult], names: Mapping[int, str]) -> None:
    """Draw tests; without names they are all of one model."""
    rows = [
        {
            **({"model": names.get(one.model_id, t("models.gone", id=one.model_id))} if names else {}),
            "start": one.test_start, "end": one.test_end, "rows": one.num_samples,
            "roc_auc": one.roc_auc, "precision": one.precision_score,
            "recall": one.recall, "f1": one.f1_score, "f1_change": change(one.f1_score, one.train_f1),
            "expected_value": one.expected_value_pct, "warnings": len(one.warnings), "tested": one.updated_at,
        }
        for one in tests
    ]  # fmt: skip
    column = st.column_config
    chosen = row_table.draw(
        pd.DataFrame(rows), [one.id for one in tests], key="tests_table", placeholder=NOTHING,
        column_config={
            "model": column.TextColumn(t("models.name"), pinned=True, width=190),
            "start": moment_column(t("card.window_start"), seconds=False),
            "end": moment_column(t("card.window_end"), seconds=False),
            "rows": column.NumberColumn(t("card.rows"), format="localized"),
            "roc_auc": column.NumberColumn(t("card.roc_auc"), format="%.3f"),
            "precision": column.NumberColumn(t("card.precision"), format="percent"),
            "recall": column.NumberColumn(t("card.recall"), format="percent"),
            "f1": column.NumberColumn("F1", format="%.3f"),
            "f1_change": column.NumberColumn(t("models.f1_change"), format="%+.3f", help=t("models.f1_change_help")),
            "expected_value": column.NumberColumn(t("card.expected_value"), format="%+.2f %%"),
            "warnings": column.NumberColumn(t("models.warnings"), format="%d", width="small"),
            "tested": moment_column(t("models.tested"), seconds=False),
        },
    )  # fmt: skip
    st.caption(t("models.how_one"))
    if chosen.opened is not None:
        go("models", test=chosen.opened)


def change(now: float | None, before: float | None) -> float | None:
    """Give how far a figure has moved, where both are known."""
    return None if now is None or before is None else now - before
