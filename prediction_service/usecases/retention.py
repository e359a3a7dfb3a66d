"""What is kept for so many days only, and what nobody asks for any more; totals stay for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from prediction_service.runtime.position import Interval
from prediction_service.settings import PredictionSettings
from prediction_service.store import retention
from prediction_service.store.retention import Swept
from shared.db import Pool

log = structlog.get_logger(__name__)

TOGETHER = 2_000
"""Ids of one transaction: short enough for whoever waits for its rows, and for the server's other work."""
_PAUSE_SECONDS = 0.05


async def delete_due(pool: Pool, settings: PredictionSettings) -> None:
    """Delete predictions and deliveries that are older than the setting says; without it none."""
    days = settings.prediction_retention_days
    if days is None:
        return
    age = timedelta(days=days)
    # The age of rows is measured by the recording: a replay of last year's rows is as young as its newest row.
    clock = await retention.clock(pool)
    predictions = 0
    if clock is not None:
        before = clock - age
        predictions = await _sweep(
            lambda after: retention.delete_predictions(pool, after=after, before=before, most=TOGETHER)
        )
    deliveries = await _sweep(lambda after: retention.delete_deliveries(pool, after=after, age=age, most=TOGETHER))
    if predictions or deliveries:
        log.info("old rows deleted", predictions=predictions, deliveries=deliveries, older_than_days=days)


async def forget_activations(pool: Pool, _settings: PredictionSettings) -> None:
    """Forget times of activity whose rows are all answered: a model switched on and off for years keeps few of them."""
    # Asked first: they only ever advance, so what they tell of is answered for good.
    positions = await retention.list_positions(pool)
    if not positions:
        return
    for active_id, known in await retention.list_activations(pool):
        left = [
            entry for entry in known if not all(Interval.from_json(entry).drained(position) for position in positions)
        ]
        if len(left) < len(known):
            await retention.shorten_activation(pool, active_id, known=known, left=left)


async def _sweep(delete: Callable[[int], Awaitable[Swept | None]]) -> int:
    """Go through the ids from the lowest on, until nothing old is left; give how many rows were deleted."""
    after = deleted = 0
    while (swept := await delete(after)) is not None:
        after, deleted = swept.last, deleted + swept.deleted
        await asyncio.sleep(_PAUSE_SECONDS)
    return deleted
