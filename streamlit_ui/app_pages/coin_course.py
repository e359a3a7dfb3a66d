"""What the picture of a coin shows: its rows, what models said of them, and the move one of them foretold."""

from datetime import datetime, timedelta
from typing import Final

from shared.contracts.prediction import ActiveModel, CoinHistory, HistoryRow, Prediction
from streamlit_ui.app_pages.known_models import model_name
from streamlit_ui.app_pages.prediction_table import outcome_words
from streamlit_ui.charts.price import Course, Mark, Move

PRICE: Final = "price_close"
MOST_ROWS: Final = 1000
NEWEST_ROWS: Final = 240
BEFORE: Final = timedelta(minutes=10)
AFTER: Final = timedelta(minutes=5)
_COLUMNS: Final = frozenset(HistoryRow.model_fields) - {"timestamp", "phase_id_at_time", "is_koth"}


def window(chosen: Prediction, model: ActiveModel | None) -> tuple[datetime, datetime]:
    """Give the stretch around a prediction: some of what was before, its horizon, and a little more."""
    horizon = timedelta(minutes=model.future_minutes or 0) if model else timedelta()
    before = max(BEFORE, horizon / 2)
    return chosen.data_timestamp - before, chosen.data_timestamp + horizon + max(AFTER, horizon / 5)


def course(history: CoinHistory, models: dict[int, ActiveModel], chosen: Prediction | None) -> Course:
    """Give what is drawn; the value is the target of the chosen prediction's model where rows hold it."""
    model = models.get(chosen.active_model_id) if chosen else None
    column = _column(model)
    values = {row.timestamp: getattr(row, column) for row in history.rows}
    rows = [row for row in history.rows if getattr(row, column) is not None]
    marks = [
        Mark(
            at=one.data_timestamp,
            value=value,
            kind="alert" if one.is_alert else "yes" if one.prediction else "no",
            model=model_name(models, one.active_model_id),
            probability=one.probability,
            outcome=outcome_words(one),
        )
        for one in history.predictions
        if (value := values.get(one.data_timestamp)) is not None
    ]
    move = move_of(chosen, model, values.get(chosen.data_timestamp)) if chosen else None
    return Course(rows=rows, column=column, marks=marks, move=move)


def move_of(chosen: Prediction, model: ActiveModel | None, value: float | None) -> Move:
    """Give the move that a prediction is about; a rule asks of the row itself, it has neither threshold nor horizon."""
    change = model.price_change_percent if model else None
    minutes = model.future_minutes if model else None
    if model is None or value is None or change is None or minutes is None:
        return Move(
            start=chosen.data_timestamp, end=None, value=value, threshold=None, highest=None, lowest=None,
            is_rise=True,
        )  # fmt: skip
    is_rise = model.target_direction != "down"
    return Move(
        start=chosen.data_timestamp,
        end=chosen.data_timestamp + timedelta(minutes=minutes),
        value=value,
        threshold=moved(value, abs(change) if is_rise else -abs(change)),
        highest=moved(value, chosen.highest_change_pct),
        lowest=moved(value, chosen.lowest_change_pct),
        is_rise=is_rise,
    )


def moved(value: float, percent: float | None) -> float | None:
    """Give a value after a change in percent."""
    return None if percent is None else value * (1 + percent / 100)


def _column(model: ActiveModel | None) -> str:
    if model is None or model.future_minutes is None or model.target_variable not in _COLUMNS:
        return PRICE
    return model.target_variable
