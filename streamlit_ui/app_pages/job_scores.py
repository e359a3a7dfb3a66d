"""What a job tells on its way: folds, trials, log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from shared.contracts.events import JobLog
from shared.contracts.training import JsonObject
from streamlit_ui.charts.folds import fold_scores, trial_scores
from streamlit_ui.formats import NOTHING, moment, number
from streamlit_ui.session import t
from streamlit_ui.states import empty
from streamlit_ui.tables import dataframe

_SCORES = ("average_precision", "precision", "recall", "f1", "accuracy")
_FEW = 2
_LOG_HEIGHT, _LOG_LINES = 340, 12


def folds(found: Sequence[JsonObject], wanted: int | None) -> None:
    """Draw the scores of the folds there are."""
    st.subheader(t("jobs.folds"), anchor=False, help=t("jobs.folds_help"))
    if wanted and len(found) < wanted:
        st.caption(t("jobs.folds_so_far", count=len(found), folds=wanted))
    scores = [
        (int(one["fold"]), one.get("train_average_precision"), one.get("test_average_precision")) for one in found
    ]
    st.altair_chart(
        fold_scores(
            scores, folds=wanted or len(found), fold=t("jobs.fold"), score=t("jobs.average_precision"),
            learnt=t("jobs.learnt"), unseen=t("jobs.unseen"),
        ),
        alt=t("jobs.folds_alt", scores=", ".join(number(test, 3) for _, _, test in scores)),
    )  # fmt: skip
    rows = [
        {
            "fold": one["fold"],
            "from": _moment(one.get("test_start")),
            **{name: one.get(f"test_{name}") for name in _SCORES},
            "learnt": one.get("train_rows"),
            "rows": one.get("test_rows"),
        }
        for one in found
    ]
    config = {name: st.column_config.NumberColumn(t(f"jobs.{name}"), format="%.3f") for name in _SCORES}
    config |= {
        "fold": st.column_config.NumberColumn(t("jobs.fold"), width="small"),
        "from": st.column_config.TextColumn(t("jobs.fold_from")),
        "learnt": st.column_config.NumberColumn(t("jobs.rows_learnt"), format="localized"),
        "rows": st.column_config.NumberColumn(t("jobs.rows_unseen"), format="localized"),
    }
    dataframe(pd.DataFrame(rows), hide_index=True, column_config=config)


def _moment(told: object) -> str:
    try:
        return moment(datetime.fromisoformat(str(told)), seconds=False)
    except (ValueError, OverflowError):
        return NOTHING


def trials(found: Sequence[JsonObject], wanted: int | None) -> None:
    """Draw the trials of a search, the best one first."""
    st.subheader(t("jobs.trials"), anchor=False, help=t("jobs.trials_help"))
    if wanted:
        st.caption(t("jobs.trials_so_far", count=len(found), trials=wanted))
    scored = [(int(one["number"]) + 1, float(one["value"])) for one in found if one.get("value") is not None]
    if len(scored) >= _FEW:
        best = max(value for _, value in scored)
        st.altair_chart(
            trial_scores(scored, trial=t("jobs.trial"), score=t("jobs.average_precision"), best=t("jobs.best")),
            alt=t("jobs.trials_alt", best=number(best, 3)),
        )  # fmt: skip
    rows = [
        {
            "trial": one["number"] + 1, "score": one.get("value"), "state": _state(one), "seconds": one.get("seconds"),
            **{name: _shown(value) for name, value in (one.get("params") or {}).items()},
        }
        for one in sorted(found, key=lambda one: (one.get("value") is None, -(one.get("value") or 0)))
    ]  # fmt: skip
    dataframe(
        pd.DataFrame(rows), hide_index=True, height="auto" if len(rows) < 10 else 380,  # noqa: PLR2004
        column_config={
            "trial": st.column_config.NumberColumn(t("jobs.trial"), width="small"),
            "score": st.column_config.NumberColumn(t("jobs.average_precision"), format="%.4f"),
            "state": st.column_config.TextColumn(t("jobs.state")),
            "seconds": st.column_config.NumberColumn(t("jobs.seconds"), format="%.1f"),
        },
    )  # fmt: skip


def _state(trial: JsonObject) -> str:
    if trial.get("error"):
        return str(trial["error"])
    state = str(trial.get("state") or "")
    return t(f"jobs.trial_{state.lower()}") if state in {"COMPLETED", "PRUNED", "FAIL", "FAILED"} else state


def _shown(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else "null" if value is None else value


def log(found: JobLog) -> None:
    """Draw the newest lines of the log, the newest last."""
    st.subheader(t("jobs.log"), anchor=False)
    if not found.lines:
        empty(t("jobs.log_empty"))
        return
    if found.total > len(found.lines):
        st.caption(t("jobs.log_tail", count=len(found.lines), total=found.total))
    words = {level: t(f"jobs.level_{level}") for level in ("info", "warning", "error")}
    width = max(len(word) for word in words.values())
    text = "\n".join(f"{moment(one.at)[11:]}  {words[one.level]:<{width}}  {one.message}" for one in found.lines)
    with st.container(height=_LOG_HEIGHT if len(found.lines) > _LOG_LINES else "content", autoscroll=True):
        st.code(text, language=None, wrap_lines=True)
