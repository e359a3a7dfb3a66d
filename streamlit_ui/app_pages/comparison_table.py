"""What models have in common and what not: figures and settings, one line each, one column a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from shared.contracts.card import CardConfusion
from shared.contracts.training import Model
from streamlit_ui.app_pages.comparison_results import LESS_IS_BETTER, Compared, Found
from streamlit_ui.app_pages.questions import question
from streamlit_ui.formats import NOTHING, moment, number, percent, share
from streamlit_ui.session import t
from streamlit_ui.states import empty
from streamlit_ui.tables import dataframe

_BEST = "★"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line."""

    label: str
    values: tuple[str, ...]
    """As shown, in the order of the models."""
    best: int | None = None
    """Which of them is the best, where that can be said."""

    @property
    def differs(self) -> bool:
        """Tell whether the models differ in it."""
        return len(set(self.values)) > 1


def show(rows: Sequence[Row], names: Sequence[str], *, everything: bool, label: str) -> None:
    """Draw the lines that differ, or all of them."""
    shown = [row for row in rows if everything or row.differs]
    if not shown:
        empty(t("comparison.same"), icon=":material/drag_handle:")
        return
    titles = [f"{name} ({number + 1})" if names.count(name) > 1 else name for number, name in enumerate(names)]
    table = [
        {label: row.label} | {
            title: f"{value} {_BEST}" if row.best == place and row.differs else value
            for place, (title, value) in enumerate(zip(titles, row.values, strict=True))
        }
        for row in shown
    ]  # fmt: skip
    dataframe(
        pd.DataFrame(table), hide_index=True, height="content",
        column_config={label: st.column_config.TextColumn(label, pinned=True, width=180)},
    )  # fmt: skip


def figure_rows(found: Found) -> list[Row]:
    """Give the figures of all models on the shared rows."""
    models = found.models

    def row(label: str, name: str, write: Callable[[float | None], str]) -> Row:
        return _judged(label, [getattr(one, name) for one in models], write, less=name in LESS_IS_BETTER)

    def at(label: str, which: str, name: str, write: Callable[[float | None], str]) -> Row:
        return _judged(label, [_matrix(one, which, name) for one in models], write)

    decision, alert = t("card.at_decision"), t("card.at_alert")
    return [
        row(t("comparison.average_precision"), "average_precision", lambda value: number(value, 4)),
        row(t("comparison.roc_auc"), "roc_auc", lambda value: number(value, 4)),
        row(t("comparison.brier"), "brier", lambda value: number(value, 4)),
        row(t("card.log_loss"), "log_loss", lambda value: number(value, 4)),
        row(t("comparison.expected_value_pct"), "expected_value_pct", percent),
        _judged(t("comparison.one_position"), [_money(one) for one in models], percent),
        _plain(t("card.base_rate"), [share(one.base_rate, 2) for one in models]),
        _plain(t("card.alerts_per_day"), [number(one.alerts_per_day, 1) for one in models]),
        at(f"{t('card.precision')} · {alert}", "at_alert_threshold", "precision", share),
        at(f"{t('card.recall')} · {alert}", "at_alert_threshold", "recall", share),
        at(f"{t('card.precision')} · {decision}", "at_decision_threshold", "precision", share),
        at(f"{t('card.recall')} · {decision}", "at_decision_threshold", "recall", share),
        at(f"F1 · {decision}", "at_decision_threshold", "f1", lambda value: number(value, 3)),
        _plain(t("comparison.own_rows"), [number(one.own_rows) for one in models]),
    ]


def setting_rows(models: Sequence[Model]) -> list[Row]:
    """Give what the models were asked and made of."""
    shared = set.intersection(*(set(one.features) for one in models)) if models else set()
    params = sorted({name for one in models for name in one.params})
    return [
        _plain(t("models.question"), [question(one) for one in models]),
        _plain(t("models.type"), [one.model_type for one in models]),
        _plain(t("card.at_decision"), [number(one.decision_threshold, 3) for one in models]),
        _plain(t("card.at_alert"), [number(one.alert_threshold, 3) for one in models]),
        _plain(t("comparison.resolution"), [one.label_resolution or NOTHING for one in models]),
        _plain(t("comparison.train_start"), [moment(one.train_start, seconds=False) for one in models]),
        _plain(t("comparison.train_end"), [moment(one.train_end, seconds=False) for one in models]),
        _plain(t("comparison.phases"), [_listed(one.phases) for one in models]),
        _plain(t("comparison.features"), [number(len(one.features)) for one in models]),
        _plain(t("comparison.only_here"), [", ".join(sorted(set(one.features) - shared)) or NOTHING for one in models]),
        *(_plain(name, [_value(one.params.get(name)) for one in models]) for name in params),
    ]


def _judged(
    label: str, values: Sequence[float | None], write: Callable[[float | None], str], *, less: bool = False
) -> Row:
    known = [(value, place) for place, value in enumerate(values) if value is not None]
    best = (min(known) if less else max(known))[1] if len(known) > 1 else None
    return Row(label=label, values=tuple(write(value) for value in values), best=best)


def _plain(label: str, values: Sequence[str]) -> Row:
    return Row(label=label, values=tuple(values))


def _matrix(one: Compared, which: str, name: str) -> float | None:
    matrix: CardConfusion | None = getattr(one, which)
    found: float | None = getattr(matrix, name) if matrix is not None else None
    return found


def _money(one: Compared) -> float | None:
    return one.money.one_position.mean_pct if one.money else None


def _listed(values: Sequence[int] | None) -> str:
    return ", ".join(str(one) for one in values) if values else t("card.all_phases")


def _value(value: Any) -> str:
    return NOTHING if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
