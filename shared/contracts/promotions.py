"""Wire models of lines of models: what is live, how one takes another's place, and what was live when."""

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.contracts.fields import NO_NUL, WHOLE_NUMBER, Id, PathId

MOST_PAIRS = 100_000
"""So many of the newest rows that both models answered are compared."""
LARGEST_SHARE = 1.0
Mode = Literal["live", "shadow"]
Metric = Literal["precision", "alert_precision", "brier", "mean_return"]
Action = Literal["import", "activate", "deactivate", "live", "shadow", "promote", "rollback", "delete"]
Line = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
Reason = Annotated[str, Field(min_length=1, max_length=1000, pattern=NO_NUL, description="Why, for the log")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, protected_namespaces=())


class AutoPromotion(_Request):
    """What a shadow model must show, on rows that it and the live model of its line answered, to take its place."""

    metric: Metric = Field(description="mean_return: of the price from the alert to the horizon, before costs")
    margin: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False, strict=True)] = Field(
        description="By how much it must be better, and by more than chance may bring: a share (precision, "
        "alert_precision), points of Brier, percent points (mean_return)"
    )
    min_outcomes: Annotated[int, Field(ge=1, le=MOST_PAIRS), WHOLE_NUMBER] = Field(
        description="How many known answers each must have of what the metric counts: rows (brier), "
        "positive predictions (precision), alerts (alert_precision, mean_return)"
    )

    @model_validator(mode="after")
    def check_margin(self) -> Self:
        """Refuse a lead that nobody can have."""
        if self.metric != "mean_return" and self.margin > LARGEST_SHARE:
            raise ValueError(f"margin is at most {LARGEST_SHARE:g} for {self.metric}")
        return self


class Because(_Request):
    """Why something is done."""

    reason: Reason | None = None


class Promote(Because):
    """Why a model goes live, and in whose place."""

    replaces: Id | None = Field(
        None, description="Active model that becomes a shadow; null: the live one of its line, if there is one"
    )


class Promotion(_Answer):
    """A change of what is live."""

    id: int
    action: Action = Field(description="live, shadow: the mode was set")
    active_model_id: int
    model_id: int
    replaced_active_model_id: int | None = Field(
        description="promote: became a shadow in its place; rollback: is live again in its place"
    )
    replaced_model_id: int | None
    line: str | None
    is_live: bool = Field(description="Whether active_model_id is active and live from then on")
    made_by: str = Field(description="Name of the key; local: without keys; auto: by its auto_promotion")
    reason: str | None
    metrics: dict[str, Any] = Field(description="Figures of both at that time, of an auto-promotion")
    undoes: int | None = Field(description="rollback: id of the promotion")
    created_at: AwareDatetime


class PromotionFilter(_Request):
    """Which changes to list, newest first."""

    active_model_id: PathId | None = Field(None, description="Also those in which another one took its place")
    line: Line | None = None
    action: Action | None = None
    cursor: Annotated[str, Field(max_length=100)] | None = Field(None, description="next_cursor of the page before")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class PromotionPage(_Answer):
    """A page of changes, newest first; next_cursor is null on the last one."""

    promotions: list[Promotion]
    next_cursor: str | None


class Figures(_Answer):
    """How one model did on the rows that are compared; a share of nothing is null."""

    outcomes: int = Field(description="Rows with a known answer")
    positives: int = Field(description="Positive predictions among them")
    precision: float | None
    alerts: int = Field(description="Of them, those that are alerts at its present alert_threshold")
    alert_precision: float | None
    brier: float | None
    returns: int = Field(description="Alerts whose change is known, those without an answer too")
    mean_return_pct: float | None


class Challenge(_Answer):
    """How far a shadow model is from taking the place of the live model of its line."""

    active_model_id: int
    live_active_model_id: int | None
    line: str | None
    auto_promotion: AutoPromotion | None
    since: AwareDatetime | None = Field(description="Its activation: rows it answered since then are compared")
    pairs: int = Field(description=f"Rows that both answered and that are evaluated, the newest {MOST_PAIRS:,} at most")
    challenger: Figures | None
    live: Figures | None
    coins: int = Field(description="Coins in what the metric of auto_promotion counts")
    lead: float | None = Field(description="By how much it is better in that metric")
    chance: float | None = Field(
        description="The lead that one which is no better may have by chance, one-sided 95 % over all looks together: "
        "it must be better by more. null: too few coins to tell"
    )
    ready: bool = Field(description="It is promoted within a minute")
    missing: list[str] = Field(description="Why it is not promoted yet")
