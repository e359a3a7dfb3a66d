"""Figures of two models on the rows that both answered; read only."""

from dataclasses import dataclass, fields

from prediction_service.store.active_models import ActiveModel
from shared.db import Executor, Queries, Record

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
    coins: int
    """Coins in what the metric counts, of either model."""
    standard_error: float | None
    """Of the difference of the metric, over coins; None of fewer than two, or where one model has no figure."""


async def compare(
    executor: Executor, shadow: ActiveModel, live: ActiveModel, *, most_rows: int, most_pairs: int
) -> Compared:
    """Compare a shadow with a live model on the newest rows it answered since its activation.

    So many of them are looked at until so many are found that the live model answered too. The standard error is that
    of the metric of its auto_promotion.
    """
    row = await _queries.fetchrow(
        executor, "compare", shadow_id=shadow.id, shadow_threshold=shadow.alert_threshold, live_id=live.id,
        live_threshold=live.alert_threshold, after_id=shadow.predictions_before, most_rows=most_rows,
        most_pairs=most_pairs, metric=None if shadow.auto_promotion is None else shadow.auto_promotion.metric,
    )  # fmt: skip
    assert row is not None
    return Compared(
        pairs=row["pairs"],
        challenger=_figures(row, "shadow"),
        live=_figures(row, "live"),
        coins=row["coins"],
        standard_error=row["standard_error"],
    )


def _figures(row: Record, side: str) -> Figures:
    return Figures(**{field.name: row[f"{side}_{field.name}"] for field in fields(Figures)})
