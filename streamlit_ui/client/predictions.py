"""Predictions and the coins they are about."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from shared.contracts.prediction import CoinHistory, Predict, Predicted, Prediction, PredictionPage
from streamlit_ui.client.transport import Service


def list_predictions(
    prediction: Service, *, limit: int = 100, cursor: str | None = None, **filters: Any
) -> PredictionPage:
    """Give a page of predictions, newest first; `filters` are the fields of `PredictionFilter`."""
    return prediction.get("/predictions", PredictionPage, limit=limit, cursor=cursor, **filters)


def get_prediction(prediction: Service, prediction_id: int) -> Prediction:
    """Give one prediction."""
    return prediction.get(f"/predictions/{prediction_id}", Prediction)


def get_history(
    prediction: Service, coin_id: str, *, active_model_id: int | None = None, since: datetime | None = None,
    until: datetime | None = None, limit: int = 300,
) -> CoinHistory:  # fmt: skip
    """Give rows of a coin and the predictions for them, oldest first."""
    return prediction.get(
        f"/coins/{quote(coin_id, safe='')}/history", CoinHistory, active_model_id=active_model_id, date_from=since,
        date_to=until, limit=limit,
    )  # fmt: skip


def predict(prediction: Service, request: Predict) -> Predicted:
    """Ask models about one coin; nothing is stored."""
    return prediction.send("POST", "/predict", Predicted, body=request)
