"""The history of each row of a batch, from memory where it is, from the database where not."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from prediction_service.runtime.rings import Rings
from shared.coin_metrics import read
from shared.coin_metrics.read import Batch, Histories, Layout
from shared.coin_metrics.rows import Bools, Ints
from shared.db import Executor


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Histories of the rows of a batch, in its order."""

    histories: Histories
    late: Bools
    """Rows older than, or repeating, a row of their coin that was answered before."""


async def gather(
    executor: Executor,
    layout: Layout,
    rings: Rings,
    rows: Batch,
    *,
    high: int | Ints,
    clock: int,
    unsure: Collection[str] = (),
) -> Gathered:
    """Give for every row what its coin had up to it, and keep the rows for the next batch.

    `high` is the highest id done before this batch, of all rows or of the shard of each, `clock` the newest timestamp
    believed after it. Of coins in `unsure` more rows have come than are in the batch: memory knows nothing of those. A
    row sees no row that counts as arrived after it, so the answer does not depend on how rows fall into batches.
    """
    for mint in unsure:
        rings.forget(mint)
    values = np.empty((len(rows), rings.depth, len(rings.columns)))
    timestamp = np.empty((len(rows), rings.depth), np.int64)
    count = np.empty(len(rows), np.int64)
    late = np.zeros(len(rows), np.bool_)
    tops = np.maximum(np.maximum.accumulate(rows.id), high) if len(rows) else rows.id
    for turn in _turns(rows.mint):
        mine = rows.take(turn)
        found, late[turn], newest = await _one_turn(executor, layout, rings, mine, tops[turn], clock)
        values[turn], timestamp[turn], count[turn] = found.values, found.timestamp, found.count
        if newest.any():
            newest &= np.array([mint not in unsure for mint in mine.mint], np.bool_)
            rings.fill([mine.mint[index] for index in np.flatnonzero(newest)], found.take(newest))
    return Gathered(histories=Histories(values=values, timestamp=timestamp, count=count), late=late)


def _turns(mints: Sequence[str]) -> list[Ints]:
    """Split row numbers so that no turn holds a coin twice and each coin's rows keep their order."""
    seen: dict[str, int] = {}
    turn_of = np.empty(len(mints), np.int64)
    for index, mint in enumerate(mints):
        turn = seen.get(mint, 0)
        turn_of[index] = turn
        seen[mint] = turn + 1
    return [np.flatnonzero(turn_of == turn) for turn in range(max(seen.values(), default=0))]


async def _one_turn(
    executor: Executor, layout: Layout, rings: Rings, rows: Batch, tops: Ints, clock: int
) -> tuple[Histories, Bools, Bools]:
    """Give histories, which rows are late, and which of the histories memory lacks and may take over."""
    slots = rings.slots(rows.mint)
    present = slots >= 0
    newer = present.copy()
    newer[present] = rows.timestamp[present] > rings.newest(slots[present])
    rings.push(slots[newer], rows.timestamp[newer], rows.values[newer])
    late = present & ~newer
    lacking = np.zeros(len(rows), np.bool_)
    asked = np.flatnonzero(~newer)
    if len(asked) == 0:
        return rings.read(slots), late, lacking
    wanted = rows.take(asked)
    tails, lacking[asked] = await read.tails(
        executor, layout, mints=wanted.mint, times=wanted.timestamp, ids=tops[asked], rows=rings.depth, until=clock
    )
    result = _merged(rings, slots, newer, asked, _ending_with(wanted, tails))
    for index in np.flatnonzero(late):
        # The past of the coin has changed: what is in memory no longer is its history.
        rings.forget(rows.mint[index])
    return result, late, lacking


def _merged(rings: Rings, slots: Ints, newer: Bools, asked: Ints, tails: Histories) -> Histories:
    size = len(slots)
    values = np.empty((size, rings.depth, len(rings.columns)))
    timestamp = np.empty((size, rings.depth), np.int64)
    count = np.empty(size, np.int64)
    kept = rings.read(slots[newer])
    values[newer], timestamp[newer], count[newer] = kept.values, kept.timestamp, kept.count
    values[asked], timestamp[asked], count[asked] = tails.values, tails.timestamp, tails.count
    return Histories(values=values, timestamp=timestamp, count=count)


def _ending_with(rows: Batch, tails: Histories) -> Histories:
    """Make sure that each history ends with its row, which may have been deleted from the table since it was read."""
    gone = (tails.count == 0) | (tails.timestamp[:, -1] != rows.timestamp)
    for index in np.flatnonzero(gone):
        tails.values[index, :-1] = tails.values[index, 1:].copy()
        tails.timestamp[index, :-1] = tails.timestamp[index, 1:].copy()
        tails.values[index, -1] = rows.values[index]
        tails.timestamp[index, -1] = rows.timestamp[index]
        tails.count[index] = min(tails.count[index] + 1, tails.timestamp.shape[1])
    return tails
