"""Messages on their way to endpoints: as lists and details show them, with every attempt."""

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.contracts.fields import CoinId, Moment, PathId

DeliveryStatus = Literal["pending", "delivered", "failed", "expired"]
EventType = Literal["prediction.alert", "prediction.created", "webhook.test"]


class DeliveryFilter(BaseModel):
    """Which messages to list, newest first."""

    model_config = ConfigDict(extra="forbid")

    endpoint_id: PathId | None = None
    status: DeliveryStatus | None = None
    event_type: EventType | None = None
    coin_id: CoinId | None = None
    active_model_id: PathId | None = Field(None, description="Messages that hold a prediction of this model")
    date_from: Moment | None = Field(None, description="Written at or after this time")
    date_to: Moment | None = Field(None, description="Written at or before this time")
    cursor: Annotated[str, Field(max_length=100)] | None = Field(None, description="next_cursor of the page before")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100

    @model_validator(mode="after")
    def check_dates(self) -> Self:
        """Refuse a window that ends before it starts."""
        if self.date_from is not None and self.date_to is not None and self.date_from > self.date_to:
            raise ValueError("date_from must not be after date_to")
        return self


class Delivery(BaseModel):
    """One message on its way to one endpoint."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    endpoint_id: int
    webhook_id: str
    event_type: EventType
    coin_id: str | None
    data_timestamp: AwareDatetime | None
    active_model_ids: list[int] | None = Field(description="Models whose predictions it holds")
    status: DeliveryStatus
    attempts: int
    next_attempt_at: AwareDatetime
    expires_at: AwareDatetime
    last_status_code: int | None
    last_error: str | None
    delivered_at: AwareDatetime | None
    resent_at: AwareDatetime | None = Field(description="When it was last sent again by hand")
    request_id: str | None = Field(
        None, description="X-Request-ID of the request that had it sent; null: a prediction did"
    )
    created_at: AwareDatetime


class Deliveries(BaseModel):
    """A page of deliveries, newest first."""

    deliveries: list[Delivery]
    next_cursor: str | None


class DeliveryAttempt(BaseModel):
    """One request and what came of it."""

    model_config = ConfigDict(from_attributes=True)

    attempt: int
    url: str
    status_code: int | None = Field(description="null: no answer")
    duration_ms: float
    response: str | None = Field(description="The beginning of the answer, at most 2 KiB")
    error: str | None = Field(description="Why there was no answer")
    request_id: str | None = Field(None, description="That of the message then")
    created_at: AwareDatetime


class DeliveryDetails(Delivery):
    """A message with its body and all attempts, oldest first."""

    body: dict[str, Any]
    attempt_log: list[DeliveryAttempt]
