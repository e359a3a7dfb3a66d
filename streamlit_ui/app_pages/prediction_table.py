"""Predictions as a table: names instead of ids, what became of them by sign and word, a click opens one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import pandas as pd
import streamlit as st

from shared.contracts.prediction import ActiveModel, Prediction
from streamlit_ui.app_pages.known_models import model_name
from streamlit_ui.formats import percent
from streamlit_ui.session import t, zone
from streamlit_ui.tables import dataframe

MOST_PIXELS: Final = 640
_ROW_PIXELS: Final = 36
_ENDS: Final = 6
_SIGNS: Final = {"tp": "✅", "fp": "❌", "tn": "✅", "fn": "❌", "unresolved": "❓", "pending": "⏳"}


def outcome_words(one: Prediction) -> str:
    """Say what became of a prediction; of an alert, whether what it warned of came true."""
    outcome = one.outcome or "pending"
    if one.is_alert and outcome in {"tp", "fn"}:
        return f"✅ {t('predictions.alert_true')}"
    if one.is_alert and outcome in {"fp", "tn"}:
        return f"❌ {t('predictions.alert_false')}"
    return f"{_SIGNS[outcome]} {t(f'predictions.outcome_{outcome}')}"


def answer_words(one: Prediction) -> str:
    """Say what a model answered, with the sign it has in the picture of a coin."""
    if one.is_alert:
        return f"▲ {t('predictions.alert')}"
    return f"◆ {t('predictions.yes')}" if one.prediction else f"● {t('predictions.no')}"


def short_coin(coin_id: str) -> str:
    """Give the ends of a mint."""
    return coin_id if len(coin_id) <= 2 * _ENDS + 1 else f"{coin_id[:_ENDS]}…{coin_id[-_ENDS:]}"


def table(
    predictions: Sequence[Prediction], models: dict[int, ActiveModel], *, key: str, without: Sequence[str] = (),
    height: int = MOST_PIXELS,
) -> Prediction | None:  # fmt: skip
    """Draw them; give the one that was clicked.

    A live table may have moved on when the click arrives: the row is looked up in what was shown when it was clicked.
    """
    opened = clicked(key)
    data = pd.DataFrame([_row(one, models) for one in predictions])
    columns = _columns(is_today=all(_is_today(one) for one in predictions))
    order = [name for name in columns if name not in without]
    pixels = min(height, _ROW_PIXELS * (len(data) + 1) + 2)
    st.session_state[f"{key}_shown"] = list(predictions)
    dataframe(
        data, hide_index=True, key=key, on_select="rerun", selection_mode="single-cell", height=pixels,
        column_order=order, column_config=columns, row_height=_ROW_PIXELS, alt=t("predictions.table_alt"),
    )  # fmt: skip
    return opened


def clicked(key: str) -> Prediction | None:
    """Give the prediction that was clicked in a table as it was drawn last.

    A click opens once: its cell stays marked, and would mean another prediction as soon as the rows move on.
    """
    chosen: Any = st.session_state.get(key)
    cells = list(chosen["selection"].get("cells") or ()) if chosen else []
    taken = f"{key}_taken"
    if cells == st.session_state.get(taken, []):
        return None
    st.session_state[taken] = cells
    shown: list[Prediction] = st.session_state.get(f"{key}_shown", [])
    if not cells or cells[0][0] >= len(shown):
        return None
    row: int = cells[0][0]
    return shown[row]


def _row(one: Prediction, models: dict[int, ActiveModel]) -> dict[str, Any]:
    return {
        "time": one.data_timestamp,
        "outcome": outcome_words(one),
        "answer": answer_words(one),
        "model": model_name(models, one.active_model_id),
        "coin": short_coin(one.coin_id),
        "probability": one.probability,
        "threshold": one.threshold,
        "change": percent(one.actual_change_pct, 1),
    }


def _is_today(one: Prediction) -> bool:
    return one.data_timestamp.astimezone(zone()).date() == datetime.now(zone()).date()


def _columns(*, is_today: bool) -> dict[str, Any]:
    """Give the columns; what says most stands first, as a narrow screen shows no more."""
    config, hour = st.column_config, t("predictions.time", clock=zone().key)
    return {
        "time": config.DatetimeColumn(
            hour, format="HH:mm:ss" if is_today else "YYYY-MM-DD HH:mm:ss", timezone=zone().key,
            width=90 if is_today else 150,
        ),
        "probability": config.ProgressColumn(
            t("predictions.probability"), min_value=0.0, max_value=1.0, format="percent", width=130,
            help=t("predictions.probability_help"),
        ),
        "outcome": config.TextColumn(t("predictions.outcome"), help=t("predictions.outcome_help"), width=130),
        "answer": config.TextColumn(t("predictions.answer"), width=80),
        "model": config.TextColumn(t("predictions.model"), width=180),
        "coin": config.TextColumn(t("predictions.coin"), width=130),
        "threshold": config.NumberColumn(
            t("predictions.threshold"), format="percent", width=95, help=t("predictions.threshold_help")
        ),
        "change": config.TextColumn(
            t("predictions.change"), width=90, help=t("predictions.change_help"), alignment="right"
        ),
    }  # fmt: skip
