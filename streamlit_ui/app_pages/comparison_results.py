"""What a comparison found, read from what the service tells of it."""

from pydantic import Field

from shared.contracts.training import Answer, JsonObject
from streamlit_ui.app_pages.card_measured import Measured

MEASURES = ("average_precision", "roc_auc", "brier", "expected_value_pct")
LESS_IS_BETTER = frozenset({"brier", "brier_uncalibrated", "log_loss"})


class Compared(Measured):
    """One of the models, on the rows all of them share."""

    model_id: int
    name: str
    model_type: str
    own_rows: int | None = None
    overlap_note: str | None = None


class Lead(Answer):
    """How far the first of a pair lies above the second."""

    difference: float | None = None
    low: float | None = None
    high: float | None = None
    note: str | None = None

    @property
    def is_proved(self) -> bool:
        """Tell whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class Pair(Answer):
    """Two models with their differences."""

    model_a_id: int
    model_b_id: int
    average_precision: Lead = Field(default_factory=Lead)
    roc_auc: Lead = Field(default_factory=Lead)
    brier: Lead = Field(default_factory=Lead)
    expected_value_pct: Lead = Field(default_factory=Lead)

    def lead(self, measure: str) -> Lead:
        """Give the difference in one measure."""
        found: Lead = getattr(self, measure)
        return found

    def better(self, measure: str) -> int | None:
        """Give who is proved better in one measure."""
        lead = self.lead(measure)
        if not lead.is_proved or lead.low is None:
            return None
        is_above = lead.low > 0
        return self.model_a_id if is_above != (measure in LESS_IS_BETTER) else self.model_b_id


class Shared(Answer):
    """The rows all models share."""

    rows: int | None = None
    scored_rows: int | None = None
    coins: int | None = None
    days: float | None = None


class Found(Answer):
    """All of it."""

    rule: str | None = None
    sentence: str | None = None
    shared: Shared = Field(default_factory=Shared)
    intervals: JsonObject = Field(default_factory=dict)
    models: list[Compared] = Field(default_factory=list)
    differences: list[Pair] = Field(default_factory=list)
