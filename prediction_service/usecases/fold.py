"""From the journal of batches to the roll-ups, and to what waits for its outcome: each batch exactly once."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from prediction_service.settings import PredictionSettings
from prediction_service.store import batches, dues, statistics
from prediction_service.store.batches import Batch
from prediction_service.store.dues import NewDue, Stretch
from prediction_service.store.statistics import Cell
from shared.coin_metrics.read import microseconds, moment
from shared.db import Pool, transaction
from shared.labels.targets import MICROSECONDS_PER_MINUTE

MOST_BATCHES = 200
SETTLED = MICROSECONDS_PER_MINUTE
"""Past a horizon by so much, its rows are taken to be all there; microseconds."""
SECOND_LOOK = 10 * MICROSECONDS_PER_MINUTE
"""So much later those coins are looked for again that a question needs to be seen again."""
_LAST = microseconds(datetime(9999, 12, 30, tzinfo=UTC))


async def fold_batches(pool: Pool, _settings: PredictionSettings) -> bool:
    """Count the predictions of the oldest batches and note when their outcomes are due; True when more batches wait."""
    async with transaction(pool) as connection:
        taken = await batches.take(connection, most=MOST_BATCHES)
        if not taken:
            return False
        await statistics.lock(connection)
        await statistics.add_predictions(connection, list(_cells(taken)))
        await dues.insert(connection, list(_dues(taken)))
    return len(taken) == MOST_BATCHES


def _cells(taken: Sequence[Batch]) -> Iterator[Cell]:
    sums: dict[tuple[int, int, int], list[float]] = {}
    model_ids: dict[int, int] = {}
    for batch in taken:
        for entry in batch.entries:
            model_ids[entry["active_model_id"]] = entry["model_id"]
            for hour, phase, *numbers, newest in entry["cells"]:
                so_far = sums.setdefault((entry["active_model_id"], hour, phase), [0, 0, 0, 0.0, 0.0, newest])
                so_far[:-1] = [old + new for old, new in zip(so_far[:-1], numbers, strict=True)]
                so_far[-1] = max(so_far[-1], newest)
    for (active_id, hour, phase), numbers in sums.items():
        yield Cell(
            active_model_id=active_id,
            model_id=model_ids[active_id],
            hour=moment(hour * 1_000_000),
            phase=phase,
            predictions=int(numbers[0]),
            positives=int(numbers[1]),
            alerts=int(numbers[2]),
            probability_sum=numbers[3],
            duration_ms_sum=numbers[4],
            newest=moment(int(numbers[5])),
        )


def _dues(taken: Sequence[Batch]) -> Iterator[NewDue]:
    """Join what batches say of one model and minute."""
    bounds: dict[tuple[int, int, int], list[int]] = {}
    entries = {}
    for batch in taken:
        for entry in batch.entries:
            entries[entry["active_model_id"]] = entry
            for start, end in entry["spans"]:
                key = (entry["active_model_id"], entry["horizon_minutes"], start // MICROSECONDS_PER_MINUTE)
                joined = bounds.setdefault(key, [start, end, batch.first_id, batch.last_id])
                joined[0], joined[1] = min(joined[0], start), max(joined[1], end)
                joined[2], joined[3] = min(joined[2], batch.first_id), max(joined[3], batch.last_id)
    for (active_id, horizon_minutes, _), (start, end, first_id, last_id) in bounds.items():
        stretch = Stretch(
            active_model_id=active_id,
            data_from=moment(start),
            data_to=moment(end),
            first_id=first_id,
            last_id=last_id,
        )
        target = entries[active_id]["target"]
        due_at = end + horizon_minutes * MICROSECONDS_PER_MINUTE + SETTLED
        for later in (0, SECOND_LOOK) if target.get("label_resolution") == "observed" else (0,):
            yield NewDue(
                stretch=stretch,
                model_id=entries[active_id]["model_id"],
                target=target,
                # A tracker may write times at the end of all calendars.
                due_at=moment(min(due_at + later, _LAST)),
                is_second=later > 0,
            )
