"""Wire model of what can be set on an imported model."""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from shared.contracts.fields import WHOLE_NUMBER, CoinId, SendMode
from shared.contracts.promotions import AutoPromotion, Line, Mode, Reason

LONGEST_COOLDOWN_SECONDS = 7 * 86_400
MOST_COINS = 10_000
MOST_PHASES = 100
LARGEST_PHASE = 2**31 - 1
_NULL_MEANS_SOMETHING = frozenset({"alert_threshold", "phases", "line", "auto_promotion", "reason"})
_Item = TypeVar("_Item")


def _distinct(items: list[_Item]) -> list[_Item]:
    return list(dict.fromkeys(items))


Cooldown = Annotated[int, Field(ge=0, le=LONGEST_COOLDOWN_SECONDS), WHOLE_NUMBER]
Phase = Annotated[int, Field(ge=0, le=LARGEST_PHASE), WHOLE_NUMBER]
SendModes = Annotated[list[SendMode], Field(min_length=1, max_length=100), AfterValidator(_distinct)]
Phases = Annotated[list[Phase], Field(min_length=1, max_length=MOST_PHASES), AfterValidator(_distinct)]
Coins = Annotated[list[CoinId], Field(max_length=MOST_COINS), AfterValidator(_distinct)]
Threshold = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]


class ChangeSettings(BaseModel):
    """What to set on an imported model; what is not named stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    alert_threshold: Threshold | None = Field(
        None, description="A prediction is an alert from this probability on; null: that of the model's file"
    )
    send_modes: SendModes | SkipJsonSchema[None] = Field(None, description="What is sent: any of them is enough")
    cooldown_negative_seconds: Cooldown | SkipJsonSchema[None] = Field(
        None, description="Pause per coin after a negative prediction was sent, on the recording clock"
    )
    cooldown_positive_seconds: Cooldown | SkipJsonSchema[None] = Field(None, description="After a positive one")
    cooldown_alert_seconds: Cooldown | SkipJsonSchema[None] = Field(None, description="After an alert")
    coin_filter_mode: Literal["all", "whitelist"] | SkipJsonSchema[None] = Field(
        None, description="Which coins are predicted; whitelist needs a coin_whitelist"
    )
    coin_whitelist: Coins | SkipJsonSchema[None] = None
    phases: Phases | None = Field(None, description="Phases whose rows are predicted; null: all")
    mode: Mode | SkipJsonSchema[None] = Field(None, description="shadow: stored and scored, never sent")
    line: Line | None = Field(
        None, description="Models of one line ask the same question, and one of them is live; null: none"
    )
    auto_promotion: AutoPromotion | None = Field(
        None, description="What a shadow model must show to go live by itself; null: never"
    )
    reason: Reason | None = None

    @model_validator(mode="after")
    def check_something(self) -> Self:
        """Refuse an empty change, and null where it means nothing."""
        if not self.model_fields_set - {"reason"}:
            raise ValueError(f"needs any of {', '.join(sorted(set(type(self).model_fields) - {'reason'}))}")
        for name in sorted(self.model_fields_set - _NULL_MEANS_SOMETHING):
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        return self
