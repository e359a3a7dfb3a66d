"""When a part of the services is judged unwell: the same wherever it is shown."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.contracts.statistics import Books, WorkerState

SHARDS: Final = 8
"""Parts that all coins are cut into; a worker says which of them it answers."""
OLDEST_BEAT: Final = timedelta(seconds=30)
MOST_LAG_SECONDS: Final = 60.0
MOST_OUTCOME_DELAY_SECONDS: Final = 600.0
LEAST_DISK_BYTES: Final = 2 * 1024**3


def is_dead(worker: WorkerState, now: datetime) -> bool:
    """Tell whether a worker has said nothing for too long."""
    return worker.beat is None or now - worker.beat > OLDEST_BEAT


def is_behind(worker: WorkerState) -> bool:
    """Tell whether a worker answers rows too late."""
    return (worker.lag_seconds or 0.0) > MOST_LAG_SECONDS


def missing_shards(workers: Sequence[WorkerState], now: datetime) -> list[int]:
    """Give the parts of the coins that no living worker answers."""
    held = {shard for worker in workers if not is_dead(worker, now) for shard in worker.shards}
    return sorted(set(range(SHARDS)) - held)


def unaccounted(books: Books) -> int:
    """Give how many predictions were owed that are neither stored nor skipped; below 0: too many are there."""
    return books.owed - books.predictions - sum(books.skipped.values())
