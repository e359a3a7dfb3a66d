"""Webhooks: endpoints as requests set them up and answers show them, deliveries, and the body that is sent."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.fields import NO_NUL, WHOLE_NUMBER, Id, PathId, SendMode

DeliveryStatus = Literal["pending", "delivered", "failed", "expired"]
EventType = Literal["prediction.alert", "prediction.created", "webhook.test"]
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
_OURS = re.compile(
    "connection|content-.*|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent|webhook-.*"
)


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"{name[:100]!r} is not a header: names are tokens, values printable ASCII")
        if _OURS.fullmatch(name.lower()):
            raise ValueError(f"the header {name!r} is set by the sender")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is named twice")
    return headers


def _distinct(items: list[Any]) -> list[Any]:
    return list(dict.fromkeys(items))


def _alerts_only() -> list[SendMode]:
    return ["alerts_only"]


Headers = Annotated[dict[str, Annotated[str, Field(max_length=1000)]], Field(max_length=20), AfterValidator(_sendable)]
ActiveModelIds = Annotated[list[Id], Field(min_length=1, max_length=1000), AfterValidator(_distinct)]
SendModes = Annotated[list[SendMode], Field(min_length=1, max_length=4), AfterValidator(_distinct)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewWebhook(_Request):
    """An endpoint to send predictions to."""

    url: Annotated[
        str, Field(min_length=1, max_length=2048, pattern=NO_NUL, description="http or https, without credentials")
    ]
    headers: Headers = Field(default_factory=dict, description="Static headers of every request")
    active_model_ids: ActiveModelIds | None = Field(
        None, description="Active models whose predictions are sent; null: all"
    )
    send_modes: SendModes = Field(
        default_factory=_alerts_only, description="A prediction that fits any of them makes a delivery"
    )
    enabled: Annotated[bool, Field(strict=True)] = True
    expires_after_seconds: Annotated[int, Field(ge=1, le=7 * 86400), WHOLE_NUMBER] | None = Field(
        None, description="How long a delivery is tried; null: the shortest horizon among its predictions"
    )


class Webhook(BaseModel):
    """An endpoint; header values and the secret are masked."""

    id: int
    name: str | None = Field(description="n8n for the built-in endpoint of N8N_WEBHOOK_URL")
    url: str
    headers: dict[str, str]
    secret: str
    active_model_ids: list[int] | None
    send_modes: list[SendMode]
    enabled: bool
    is_builtin: bool
    expires_after_seconds: int | None
    failing_since: AwareDatetime | None
    last_success_at: AwareDatetime | None
    disabled_reason: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class CreatedWebhook(Webhook):
    """A new endpoint, with its secret: shown here and never again."""


class Webhooks(BaseModel):
    """All endpoints."""

    webhooks: list[Webhook]
    total: int


class DeliveryFilter(_Request):
    """Which messages to list, newest first."""

    endpoint_id: PathId | None = None
    status: DeliveryStatus | None = None
    cursor: Annotated[str, Field(max_length=100)] | None = Field(None, description="next_cursor of the page before")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Delivery(BaseModel):
    """One message on its way to one endpoint."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    endpoint_id: int
    webhook_id: str
    event_type: EventType
    coin_id: str | None
    data_timestamp: AwareDatetime | None
    status: DeliveryStatus
    attempts: int
    next_attempt_at: AwareDatetime
    expires_at: AwareDatetime
    last_status_code: int | None
    last_error: str | None
    delivered_at: AwareDatetime | None
    created_at: AwareDatetime


class Deliveries(BaseModel):
    """A page of deliveries, newest first."""

    deliveries: list[Delivery]
    next_cursor: str | None


class SentModel(BaseModel):
    """The model of a prediction in a message."""

    id: int
    active_model_id: int
    name: str
    custom_name: str | None
    model_type: str
    target_variable: str
    target_operator: str | None
    target_value: float | None
    future_minutes: int | None
    price_change_percent: float | None
    target_direction: str | None


class SentPrediction(BaseModel):
    """One prediction in a message."""

    prediction: Literal[0, 1]
    probability: float
    is_alert: bool
    alert_threshold: float
    model: SentModel


class SentMetadata(BaseModel):
    """Counts of a message, and who sent it."""

    total_predictions: int
    alerts_count: int
    service: str
    version: str


class SentData(BaseModel):
    """The predictions of one coin and row."""

    coin_id: str
    timestamp: AwareDatetime
    price_close: float | None
    phase_id: int | None
    predictions: list[SentPrediction]
    metadata: SentMetadata


class PredictionMessage(BaseModel):
    """The body of a webhook."""

    type: Literal["prediction.alert", "prediction.created"]
    timestamp: AwareDatetime
    data: SentData
