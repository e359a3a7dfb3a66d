"""Endpoints of webhooks and the messages to them."""

from datetime import datetime
from typing import Any

from shared.contracts.deliveries import Deliveries, Delivery, DeliveryDetails
from shared.contracts.webhook import (
    ChangeWebhook,
    CreatedWebhook,
    NewWebhook,
    Recover,
    Recovered,
    RotatedSecret,
    Webhook,
    WebhookDetails,
    Webhooks,
)
from streamlit_ui.client.transport import Service


def list_webhooks(prediction: Service) -> Webhooks:
    """Give all endpoints; secrets and header values are masked."""
    return prediction.get("/webhooks", Webhooks)


def get_webhook(prediction: Service, endpoint_id: int) -> WebhookDetails:
    """Give an endpoint and how it is doing."""
    return prediction.get(f"/webhooks/{endpoint_id}", WebhookDetails)


def create_webhook(prediction: Service, wanted: NewWebhook) -> CreatedWebhook:
    """Set up an endpoint; the answer holds its secret, nothing else ever does."""
    return prediction.send("POST", "/webhooks", CreatedWebhook, body=wanted)


def change_webhook(prediction: Service, endpoint_id: int, change: ChangeWebhook) -> Webhook:
    """Change an endpoint."""
    return prediction.send("PATCH", f"/webhooks/{endpoint_id}", Webhook, body=change)


def delete_webhook(prediction: Service, endpoint_id: int) -> None:
    """Remove an endpoint; what waits for it is dropped."""
    prediction.remove(f"/webhooks/{endpoint_id}")


def rotate_secret(prediction: Service, endpoint_id: int) -> RotatedSecret:
    """Give an endpoint a new secret."""
    return prediction.send("POST", f"/webhooks/{endpoint_id}/rotate", RotatedSecret)


def send_test(prediction: Service, endpoint_id: int) -> Delivery:
    """Send a test event."""
    return prediction.send("POST", f"/webhooks/{endpoint_id}/test", Delivery)


def recover(prediction: Service, endpoint_id: int, *, since: datetime) -> Recovered:
    """Send again what failed or expired since a time."""
    return prediction.send("POST", f"/webhooks/{endpoint_id}/recover", Recovered, body=Recover(since=since))


def list_deliveries(prediction: Service, *, limit: int = 100, cursor: str | None = None, **filters: Any) -> Deliveries:
    """Give a page of messages, newest first; `filters` are the fields of `DeliveryFilter`."""
    return prediction.get("/webhook-deliveries", Deliveries, limit=limit, cursor=cursor, **filters)


def get_delivery(prediction: Service, delivery_id: int) -> DeliveryDetails:
    """Give a message with its body and every attempt at it."""
    return prediction.get(f"/webhook-deliveries/{delivery_id}", DeliveryDetails)


def resend(prediction: Service, delivery_id: int) -> Delivery:
    """Send a message again."""
    return prediction.send("POST", f"/webhook-deliveries/{delivery_id}/resend", Delivery)
