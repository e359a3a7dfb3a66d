"""Webhooks: endpoints as requests set them up and answers show them, and the bodies that are sent."""

import re
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from shared.contracts.fields import NO_NUL, WHOLE_NUMBER, Id, Moment, SendMode

MASK = "***"
"""Stands for a secret or the value of a header in every answer; in a change it keeps the value that is stored."""
MOST_AT_ONCE = 32
LONGEST_LIFE_SECONDS = 7 * 86_400
_Item = TypeVar("_Item")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
_OURS = re.compile(
    "connection|content-.*|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent|webhook-.*"
)


def _named(headers: Any) -> Any:
    for place, name in enumerate(headers if isinstance(headers, dict) else (), 1):
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            # Its text is not told: whoever mistakes the place may have put the value there.
            raise ValueError(f"the name of header {place} is not one: names are tokens of at most 100 characters")
    return headers


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of the header {name!r} is not one: values are printable ASCII")
        if _OURS.fullmatch(name.lower()):
            raise ValueError(f"the header {name!r} is set by the sender")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is named twice")
    return headers


def _distinct(items: list[_Item]) -> list[_Item]:
    return list(dict.fromkeys(items))


def _alerts_only() -> list[SendMode]:
    return ["alerts_only"]


Headers = Annotated[
    dict[str, Annotated[str, Field(max_length=1000)]],
    Field(max_length=20),
    BeforeValidator(_named),
    AfterValidator(_sendable),
]
ActiveModelIds = Annotated[list[Id], Field(min_length=1, max_length=1000), AfterValidator(_distinct)]
SendModes = Annotated[list[SendMode], Field(min_length=1, max_length=4), AfterValidator(_distinct)]
Address = Annotated[
    str, Field(min_length=1, max_length=2048, pattern=NO_NUL, description="http or https, without credentials")
]
Switch = Annotated[bool, Field(strict=True)]
Life = Annotated[int, Field(ge=1, le=LONGEST_LIFE_SECONDS), WHOLE_NUMBER]
AtOnce = Annotated[int, Field(ge=1, le=MOST_AT_ONCE), WHOLE_NUMBER]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewWebhook(_Request):
    """An endpoint to send predictions to."""

    url: Address
    headers: Headers = Field(default_factory=dict, description="Static headers of every request")
    active_model_ids: ActiveModelIds | None = Field(
        None, description="Active models whose predictions are sent; null: all"
    )
    send_modes: SendModes = Field(
        default_factory=_alerts_only, description="A prediction that fits any of them makes a delivery"
    )
    enabled: Switch = True
    expires_after_seconds: Life | None = Field(
        None, description="How long a delivery is tried; null: the shortest horizon among its predictions"
    )
    max_concurrency: AtOnce = Field(8, description="Requests under way at a time; 1: one after the other, in order")


class ChangeWebhook(BaseModel):
    """What to set on an endpoint; what is not named stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    url: Address | SkipJsonSchema[None] = None
    headers: Headers | SkipJsonSchema[None] = Field(
        None, description="All static headers from now on; the value *** keeps the one that is stored"
    )
    active_model_ids: ActiveModelIds | None = Field(None, description="null: all")
    send_modes: SendModes | SkipJsonSchema[None] = None
    enabled: Switch | SkipJsonSchema[None] = Field(
        None, description="true also forgets why it was disabled and since when it fails"
    )
    expires_after_seconds: Life | None = Field(None, description="null: the shortest horizon among its predictions")
    max_concurrency: AtOnce | SkipJsonSchema[None] = None

    @model_validator(mode="after")
    def check_something(self) -> Self:
        """Refuse an empty change, and null where it means nothing."""
        if not self.model_fields_set:
            raise ValueError(f"needs any of {', '.join(sorted(type(self).model_fields))}")
        for name in sorted(self.model_fields_set - {"active_model_ids", "expires_after_seconds"}):
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        return self


class Webhook(BaseModel):
    """An endpoint; header values and the secret are masked."""

    id: int
    name: str | None = Field(description="n8n for the built-in endpoint of N8N_WEBHOOK_URL")
    url: str
    headers: dict[str, str]
    secret: str
    previous_secret_expires_at: AwareDatetime | None = Field(
        description="Until then messages are also signed with the secret before the last rotation"
    )
    active_model_ids: list[int] | None
    send_modes: list[SendMode]
    enabled: bool
    is_builtin: bool
    expires_after_seconds: int | None
    max_concurrency: int
    failing_since: AwareDatetime | None
    last_success_at: AwareDatetime | None
    disabled_reason: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class CreatedWebhook(Webhook):
    """A new endpoint, with its secret: shown here and never again."""


class LastError(BaseModel):
    """The latest attempt that a receiver did not take."""

    model_config = ConfigDict(from_attributes=True)

    delivery_id: int
    attempt: int
    status_code: int | None
    error: str | None = Field(description="Why there was no answer")
    created_at: AwareDatetime


class LastDay(BaseModel):
    """What came of the deliveries that were written within the last 24 hours."""

    delivered: int
    failed: int
    expired: int


class WebhookDetails(Webhook):
    """An endpoint and how it is doing."""

    pending: int
    last_24_hours: LastDay
    last_error: LastError | None


class RotatedSecret(BaseModel):
    """A new secret, shown here and never again."""

    id: int
    secret: str
    previous_secret_expires_at: AwareDatetime = Field(
        description="Until then messages are signed with the new secret and the one before"
    )
    message: str = Field(description="Which secrets sign from now on, until when")


class Webhooks(BaseModel):
    """All endpoints."""

    webhooks: list[Webhook]
    total: int


class Recover(_Request):
    """Which messages are to go out again."""

    since: Moment = Field(description="Failed and expired ones that were written at or after this time")


class Recovered(BaseModel):
    """Messages that go out again."""

    endpoint_id: int
    recovered: int
    more: bool = Field(description="There are more than one call takes: call again")


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


class SentTrial(BaseModel):
    """What a test event holds."""

    message: str
    endpoint_id: int
    service: str
    version: str


class TrialMessage(BaseModel):
    """The body of a test event."""

    type: Literal["webhook.test"]
    timestamp: AwareDatetime
    data: SentTrial
