"""Endpoints and messages as the service tells of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.deliveries import Deliveries, Delivery, DeliveryAttempt, DeliveryDetails
from shared.contracts.webhook import (
    CreatedWebhook,
    LastDay,
    LastError,
    RotatedSecret,
    Webhook,
    WebhookDetails,
    Webhooks,
)
from tests.support.fake_services import FakeService
from tests.support.ui_active import active, actives

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0"
COIN = "7GCihgDB8fe6KNjn2MYtkzZcRjQy3t9GHdC8uHYmW2hr"


def endpoint(endpoint_id: int = 3, **changed: Any) -> WebhookDetails:
    """Give an endpoint that works, unless told otherwise."""
    values: dict[str, Any] = {
        "id": endpoint_id, "name": None, "url": "https://bot.example.com/pumpcast", "headers": {"X-Token": "***"},
        "secret": "***", "previous_secret_expires_at": None, "active_model_ids": None, "send_modes": ["alerts_only"],
        "enabled": True, "is_builtin": False, "expires_after_seconds": None, "max_concurrency": 8,
        "failing_since": None, "last_success_at": datetime.now(UTC), "disabled_reason": None, "created_at": NOON,
        "updated_at": NOON, "pending": 4, "last_24_hours": LastDay(delivered=1234, failed=0, expired=7),
        "last_error": None,
    }  # fmt: skip
    return WebhookDetails(**{**values, **changed})


def refused(**changed: Any) -> LastError:
    """Give a refusal."""
    values = {"delivery_id": 9, "attempt": 2, "status_code": 503, "error": None, "created_at": NOON}
    return LastError(**{**values, **changed})


def delivery(delivery_id: int = 9, **changed: Any) -> Delivery:
    """Give a message that was taken."""
    return Delivery(**_delivery(delivery_id) | changed)


def details(delivery_id: int = 9, **changed: Any) -> DeliveryDetails:
    """Give a message with its body, taken at the second attempt."""
    attempts = [
        attempt(1, status_code=None, error="the connection was refused"),
        attempt(2, response="thank you", created_at=NOON + timedelta(seconds=1)),
    ]
    said: dict[str, Any] = {
        "prediction": 1, "probability": 0.412, "is_alert": True, "alert_threshold": 0.35,
        "model": {
            "id": 17, "active_model_id": 3, "name": "Pump 30", "custom_name": None, "model_type": "xgboost",
            "target_variable": "price_close", "target_operator": None, "target_value": None, "future_minutes": 10,
            "price_change_percent": 30.0, "target_direction": "up",
        },
    }  # fmt: skip
    data = {
        "coin_id": COIN, "timestamp": "2026-03-01T12:00:00Z", "price_close": 3.1e-08, "phase_id": 2,
        "predictions": [said],
        "metadata": {"total_predictions": 1, "alerts_count": 1, "service": "pumpcast", "version": "0"},
    }  # fmt: skip
    body = {"type": "prediction.alert", "timestamp": "2026-03-01T12:00:00Z", "data": data}
    return DeliveryDetails(**_delivery(delivery_id) | {"body": body, "attempt_log": attempts} | changed)


def attempt(number: int, **changed: Any) -> DeliveryAttempt:
    """Give an attempt that was taken."""
    values = {
        "attempt": number, "url": "https://bot.example.com/pumpcast", "status_code": 200, "duration_ms": 31.0,
        "response": None, "error": None, "created_at": NOON,
    }  # fmt: skip
    return DeliveryAttempt(**{**values, **changed})


def page(*deliveries: Delivery, cursor: str | None = None) -> Deliveries:
    """Give a page of messages."""
    return Deliveries(deliveries=list(deliveries), next_cursor=cursor)


def created() -> CreatedWebhook:
    """Give an endpoint that was just set up, with its secret."""
    return CreatedWebhook(**_plain(endpoint(5)) | {"secret": SECRET})


def rotated() -> RotatedSecret:
    """Give a new secret."""
    return RotatedSecret(id=3, secret=SECRET, previous_secret_expires_at=NOON, message="Both sign until noon")


def serve(prediction: FakeService, *endpoints: WebhookDetails) -> None:
    """Have a service show endpoints, one message and one model."""
    prediction.get("/webhooks", Webhooks(webhooks=[Webhook(**_plain(one)) for one in endpoints], total=len(endpoints)))
    for one in endpoints:
        prediction.get(f"/webhooks/{one.id}", one)
    prediction.get("/webhook-deliveries", page(delivery()))
    prediction.get("/webhook-deliveries/9", details())
    prediction.get("/models/active", actives(active(3, model_name="Pump 30")))


def _plain(endpoint: WebhookDetails) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in Webhook.model_fields}


def _delivery(delivery_id: int) -> dict[str, Any]:
    return {
        "id": delivery_id, "endpoint_id": 3, "webhook_id": "msg_1", "event_type": "prediction.alert", "coin_id": COIN,
        "data_timestamp": NOON, "active_model_ids": [3], "status": "delivered", "attempts": 2,
        "next_attempt_at": NOON, "expires_at": NOON + timedelta(minutes=10), "last_status_code": 200,
        "last_error": None, "delivered_at": NOON + timedelta(seconds=1), "resent_at": None, "created_at": NOON,
    }  # fmt: skip
