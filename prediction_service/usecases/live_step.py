"""A batch on its way: rows that were looked at, what becomes of them, what the models say."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from prediction_service.runtime.admission import Admission, Admitted
from prediction_service.runtime.answers import Answers, answer
from prediction_service.runtime.position import Position
from prediction_service.runtime.rings import Rings
from prediction_service.settings import PredictionSettings
from prediction_service.store import predictions
from prediction_service.usecases.histories import Gathered, gather
from prediction_service.usecases.live_table import marked
from prediction_service.usecases.stand import Stand
from shared.coin_metrics import read
from shared.coin_metrics.clock import AHEAD
from shared.coin_metrics.read import Batch, concatenate, moment
from shared.db import Connection

CATCHUP_BATCHES = 8


@dataclass(slots=True, kw_only=True)
class Step:
    """One batch, and where the loop will stand when it is committed."""

    started: float
    seen: int
    """Rows that were looked at."""
    full: bool
    """True when the look brought as many as it might: there are more."""
    admission: Admission
    admitted: Admitted
    gathered: Gathered
    position: Position
    mark: dict[str, Any]
    thinking: asyncio.Future[tuple[list[Answers], Counter[str]]]
    """The models, at work in a thread."""

    def drop(self, rings: Rings) -> None:
        """Take back what memory holds of rows that do not count yet."""
        self.thinking.cancel()
        for mint in self.admitted.rows.mint:
            rings.forget(mint)


async def prepare(
    connection: Connection, settings: PredictionSettings, stand: Stand, before: Step | None = None
) -> Step | None:
    """Look, decide and let the models think, from where the loop stands, or will stand after the step before.

    None when there was nothing.
    """
    started = time.perf_counter()
    position = stand.position if before is None else before.position
    admission = (stand if before is None else before).admission.copy()
    seen = await _look(connection, stand, position, admission)
    if len(seen) == 0 and not _release_due(admission):
        return None
    full = len(seen) >= stand.limit
    stand.limit = min(stand.limit * 2, settings.batch_size * CATCHUP_BATCHES) if full else settings.batch_size
    held = admission.held_ids()
    admitted = admission.admit(seen, wall=time.time_ns() // 1000, mine=stand.mine)
    rows = admitted.rows
    try:
        gathered = await gather(
            connection, stand.layout, stand.rings, rows, high=stand.done_up_to(rows, position.high),
            clock=admission.clock or 0, unsure={*admitted.stale.mint, *admitted.repeats.mint},
        )  # fmt: skip
        known = await _already_answered(connection, stand, rows, gathered) if gathered.late.any() else set()
    except BaseException:
        for mint in rows.mint:
            stand.rings.forget(mint)
        raise
    return Step(
        started=started,
        seen=len(seen),
        full=full,
        admission=admission,
        admitted=admitted,
        gathered=gathered,
        position=position.advanced(sorted({*seen.id.tolist(), *held}), held=admission.held_ids()),
        mark=marked(seen),
        thinking=_think(stand, admitted, gathered, known),
    )


async def think_again(connection: Connection, stand: Stand, step: Step) -> None:
    """Ask the table which answers it holds, and leave those out."""
    step.gathered.late[:] = True
    known = await _already_answered(connection, stand, step.admitted.rows, step.gathered)
    step.thinking = _think(stand, step.admitted, step.gathered, known)


def _think(
    stand: Stand, admitted: Admitted, gathered: Gathered, known: set[tuple[int, int]]
) -> asyncio.Future[tuple[list[Answers], Counter[str]]]:
    work = asyncio.to_thread(
        answer, stand.models.models, admitted, gathered.histories, columns=stand.rings.columns, known=known
    )
    return asyncio.ensure_future(work)


async def _look(connection: Connection, stand: Stand, position: Position, admission: Admission) -> Batch:
    due = stand.gaps.due(time.monotonic())
    following = await read.since(connection, stand.layout, high=position.high, most=stand.limit)
    if not due:
        return following
    late = await read.among(connection, stand.layout, ranges=due, most=stand.limit)
    if len(late) >= stand.limit:
        stand.gaps.look_again()
    # The step before may have found some of them, and hold some of those back.
    known = position.contains(late.id) | np.isin(late.id, admission.held_ids())
    return concatenate([late.take(np.flatnonzero(~known)), following])


def _release_due(admission: Admission) -> bool:
    release = admission.next_release()
    return release is not None and release <= time.time_ns() // 1000 + AHEAD


async def _already_answered(
    connection: Connection, stand: Stand, rows: Batch, gathered: Gathered
) -> set[tuple[int, int]]:
    """Give (active id, row index) of answers that the table already holds."""
    indexes = gathered.late.nonzero()[0].tolist()
    coins = [rows.mint[index] for index in indexes]
    times = [moment(int(rows.timestamp[index])) for index in indexes]
    found = await predictions.existing(connection, list(stand.models.actives), coins, times)
    places: dict[tuple[str, datetime], list[int]] = {}
    for index, coin, at in zip(indexes, coins, times, strict=True):
        places.setdefault((coin, at), []).append(index)
    return {(active, index) for active, coin, at in found for index in places.get((coin, at), ())}
