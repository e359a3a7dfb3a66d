"""Predictions, coins and models as the prediction service answers them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.deliveries import Deliveries, Delivery
from shared.contracts.jobs import Phase, PhaseList
from shared.contracts.prediction import (
    ActiveModel,
    ActiveModels,
    CoinHistory,
    HistoryRow,
    Predicted,
    PredictedBy,
    Prediction,
    PredictionPage,
)
from tests.support.fake_services import Asked, FakeService

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COIN = "So1MintOfACoinThatIsLongEnoughpump"


def active_model(**changes: Any) -> ActiveModel:
    """Give an imported model: rise of 30 % within 10 minutes, live."""
    values: dict[str, Any] = {
        "id": 7, "model_id": 70, "model_name": "Pump model", "custom_name": None, "name": "Pump model",
        "model_type": "xgboost", "target_variable": "price_close", "target_operator": None, "target_value": None,
        "future_minutes": 10, "price_change_percent": 30.0, "target_direction": "up", "features": ["volume_sol"],
        "phases": None, "params": {}, "local_model_path": "/models/7.zip", "model_file_sha256": "0" * 64,
        "is_active": True, "activated_at": NOW - timedelta(days=1), "deactivated_at": None,
        "decision_threshold": 0.4, "alert_threshold": 0.6, "send_modes": ["alerts_only"],
        "cooldown_negative_seconds": 0, "cooldown_positive_seconds": 0, "cooldown_alert_seconds": 0,
        "coin_filter_mode": "all", "coin_whitelist": [], "mode": "live", "line": None, "auto_promotion": None,
        "created_at": NOW - timedelta(days=1), "updated_at": NOW, "total_predictions": 1200,
        "last_prediction_at": NOW,
    }  # fmt: skip
    return ActiveModel(**{**values, **changes})


def prediction(**changes: Any) -> Prediction:
    """Give an alert whose outcome is not known yet."""
    values: dict[str, Any] = {
        "id": 1, "coin_id": COIN, "data_timestamp": NOW, "model_id": 70, "active_model_id": 7, "prediction": 1,
        "probability": 0.72, "threshold": 0.4, "is_alert": True, "phase_id_at_time": 1,
        "prediction_duration_ms": 4.0, "created_at": NOW, "outcome": None, "actual_change_pct": None,
        "highest_change_pct": None, "lowest_change_pct": None, "evaluated_at": None,
    }  # fmt: skip
    return Prediction(**{**values, **changes})


def row(minutes: float, price: float | None, **changes: Any) -> HistoryRow:
    """Give a row so many minutes after noon."""
    values: dict[str, Any] = dict.fromkeys(HistoryRow.model_fields)
    values |= {
        "timestamp": NOW + timedelta(minutes=minutes), "phase_id_at_time": 1, "price_open": price, "price_high": price,
        "price_low": price, "price_close": price, "volume_sol": 2.0, "buy_volume_sol": 1.5, "sell_volume_sol": 0.5,
        "market_cap_close": 40.0, "bonding_curve_pct": 12.5,
    }  # fmt: skip
    return HistoryRow(**{**values, **changes})


def history(predictions: list[Prediction], rows: list[HistoryRow] | None = None) -> CoinHistory:
    """Give a coin that doubles within 15 minutes."""
    return CoinHistory(
        coin_id=COIN,
        rows=[row(n, 4e-8 * (1 + max(n, 0) / 15)) for n in range(-5, 16)] if rows is None else rows,
        predictions=predictions,
    )


def delivery(**changes: Any) -> Delivery:
    """Give a message of the alert that was not taken in time."""
    values: dict[str, Any] = {
        "id": 55, "endpoint_id": 3, "webhook_id": "msg_1", "event_type": "prediction.alert", "coin_id": COIN,
        "data_timestamp": NOW, "active_model_ids": [7], "status": "expired", "attempts": 4, "next_attempt_at": NOW,
        "expires_at": NOW, "last_status_code": 500, "last_error": None, "delivered_at": None, "resent_at": None,
        "created_at": NOW,
    }  # fmt: skip
    return Delivery(**{**values, **changes})


def answered(probability: float = 0.5) -> Predicted:
    """Give what the models say when asked."""
    by = PredictedBy(
        model_id=70, active_model_id=7, model_name="Pump model", prediction=1, probability=probability, threshold=0.4,
        is_alert=False,
    )  # fmt: skip
    return Predicted(coin_id=COIN, timestamp=NOW, predictions=[by], total_models=1)


def predicting(service: FakeService, predictions: list[Prediction], models: list[ActiveModel] | None = None) -> None:
    """Let the prediction service have these predictions, with filters and pages as it has them."""
    known = [active_model()] if models is None else models

    def page(asked: Asked) -> PredictionPage:
        query = asked.query
        found = [
            one
            for one in predictions
            if (query.get("is_alert") is None or one.is_alert == (query["is_alert"] == "true"))
            and (query.get("outcome") is None or (one.outcome or "pending") == query["outcome"])
            and one.probability >= float(query.get("min_probability", 0))
        ]
        start, limit = int(query.get("cursor", 0)), int(query["limit"])
        more = str(start + limit) if start + limit < len(found) else None
        return PredictionPage(predictions=found[start : start + limit], next_cursor=more)

    service.get("/models/active", ActiveModels(models=known, total=len(known)))
    service.get("/predictions", page)
    for one in predictions:
        service.get(f"/predictions/{one.id}", one)
    service.get(f"/coins/{COIN}/history", history(predictions))
    service.get("/webhook-deliveries", Deliveries(deliveries=[], next_cursor=None))
    service.get("/webhooks", {"webhooks": [], "total": 0})


def phases() -> PhaseList:
    """Give one phase."""
    one = Phase(id=1, name="Baby Zone", interval_seconds=5, min_age_minutes=0, max_age_minutes=10)
    return PhaseList(phases=[one], total=1)
