"""Figures of two models on the rows that both answered; read only."""

from dataclasses import dataclass

from prediction_service.store.active_models import ActiveModel
from shared.db import Executor, Queries

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How one model did; a share of nothing is None."""

    outcomes: int
    """Rows whose answer is known."""
    positives: int
    """Positive predictions among them."""
    precision: float | None
    alerts: int
    """Alerts among them, at the model's present alert threshold."""
    alert_precision: float | None
    brier: float | None
    returns: int
    """Alerts whose change is known, whether or not the row has an answer."""
    mean_return_pct: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two models on the same rows."""

    pairs: int
    """Rows that both answered and that are evaluated."""
    challenger: Figures
    live: Figures


async def compare(executor: Executor, shadow: ActiveModel, live: ActiveModel, *, most: int) -> Compared:
    """Compare a shadow with a live model on the newest rows that it answered since its activation."""
    rows = await _queries.fetch(
        executor, "compare", shadow_id=shadow.id, shadow_threshold=shadow.alert_threshold, live_id=live.id,
        live_threshold=live.alert_threshold, after_id=shadow.predictions_before, most=most,
    )  # fmt: skip
    found = {row["model"]: dict(row) for row in rows}
    pairs = found["live"].pop("pairs")
    return Compared(
        pairs=pairs,
        challenger=Figures(**{name: found["challenger"][name] for name in Figures.__slots__}),
        live=Figures(**{name: found["live"][name] for name in Figures.__slots__}),
    )
