"""Wire models of the training API: what is known of a request before anything is fitted."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from shared.contracts.model_request import CreateModel, TuneModel
from shared.contracts.training import Answer, Warned


def _kind(body: Any) -> str:
    names = body if isinstance(body, dict) else TuneModel.model_fields if isinstance(body, TuneModel) else ()
    return "tune" if "trials" in names or "search_space" in names else "create"


PreflightRequest = Annotated[
    Annotated[CreateModel, Tag("create")] | Annotated[TuneModel, Tag("tune")], Discriminator(_kind)
]
"""A search is one that names its trials or its space; all else a job for one model."""


class Parts(Answer):
    """How the rows whose answer is known would be divided."""

    fit: int
    calibration: int
    holdout: int
    purged: int = Field(description="Left out because their horizon reaches into the next part")


class PreflightReport(Answer):
    """What a job of this request would meet at this moment; null stands where it would not get so far."""

    ok: bool = Field(description="No known reason to fail")
    rows: int | None = Field(description="Of the window and phases, each moment of a coin once")
    coins: int | None
    resolved: int | None = Field(description="Rows whose answer is known")
    unresolved: int | None
    unresolved_by_reason: dict[str, int]
    resolved_without_observation: int | None = Field(description="Answers that rest on the silence of a coin")
    positives: int | None
    base_rate: float | None
    base_rate_recording: float | None = Field(description="Had label_resolution been recording")
    base_rate_observed: float | None = Field(description="Had label_resolution been observed")
    nearest_threshold: float | None = Field(
        description="min_percent_change or target_value nearest to the one asked for that gives both answers; "
        "only where that one does not"
    )
    workable_threshold: float | None = Field(
        description="The nearest that leaves enough rows of either answer to learn from; only there"
    )
    parts: Parts | None
    history_rows: int | None = Field(description="Rows before train_start that features look back to")
    recording_clock: datetime | None = Field(description="Newest believable time of coin_metrics")
    missing_columns: list[str] = Field(description="Needed, and not in coin_metrics")
    null_share: dict[str, float] = Field(description="Column or feature → share of the rows without a value")
    warnings: list[Warned]
    errors: list[str] = Field(description="What the job would end with, the first of them in these words")
    estimated_seconds: float | None = Field(description="Of the job on two cores that nobody else uses, roughly")
    estimated_bytes: int | None = Field(description="Most memory the process that fits would hold")
