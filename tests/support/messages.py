"""Models, endpoints and what was said about a row, as messages are made of them."""

from datetime import UTC, datetime
from typing import Any

from prediction_service.store.active_models import ActiveModel
from prediction_service.store.endpoints import Endpoint
from prediction_service.usecases.deliveries import OnePrediction, RowPredictions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def active(number: int = 1, **changes: Any) -> ActiveModel:
    given: dict[str, Any] = {
        "id": number, "model_id": 100 + number, "model_name": f"model {number}", "custom_name": None,
        "model_type": "xgboost",
        "target_variable": "price_close", "target_operator": None, "target_value": None, "future_minutes": 10,
        "price_change_percent": 30.0, "target_direction": "up", "features": ("volume_sol",), "phases": None,
        "params": {},
        "local_model_path": "/x.zip", "model_file_sha256": "0" * 64, "is_active": True, "activated_at": NOW,
        "deactivated_at": None, "activation": (), "decision_threshold": 0.3, "alert_threshold": 0.6,
        "send_modes": frozenset({"all"}), "cooldown_negative_seconds": 0, "cooldown_positive_seconds": 0,
        "cooldown_alert_seconds": 0, "coin_filter_mode": "all", "coin_whitelist": frozenset(), "mode": "live",
        "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return ActiveModel(**{**given, **changes})


def endpoint(number: int = 1, **changes: Any) -> Endpoint:
    given: dict[str, Any] = {
        "id": number, "url": "https://example.com", "headers": {}, "secret": "whsec_AAAA", "active_model_ids": None,
        "send_modes": frozenset({"all"}), "enabled": True, "is_builtin": False, "expires_after_seconds": None,
        "failing_since": None, "last_success_at": None, "disabled_reason": None, "created_at": NOW, "updated_at": NOW,
        "max_concurrency": 8, "previous_secret": None, "previous_secret_expires_at": None,
    }  # fmt: skip
    return Endpoint(**{**given, **changes})


def said(model: ActiveModel, probability: float) -> OnePrediction:
    return OnePrediction(
        active=model,
        prediction=int(probability >= model.decision_threshold),
        probability=probability,
        is_alert=probability >= model.alert_threshold,
    )


def row(*predictions: OnePrediction, **changes: Any) -> RowPredictions:
    given: dict[str, Any] = {
        "coin_id": "coin", "timestamp": NOW, "price_close": 3e-8, "phase_id": 1, "predictions": predictions,
        "caught_up_late": False,
    }  # fmt: skip
    return RowPredictions(**{**given, **changes})
