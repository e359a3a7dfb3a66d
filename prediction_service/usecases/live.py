"""The live rule: every row that commits while a model is active gets exactly one prediction from it.

Notified or not, the loop always asks the same question: which rows have become visible since the stored position? Their
answers and the new position commit together, so a crash at any moment repeats nothing and loses nothing.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prediction_service.clients.training import TrainingClient
from prediction_service.runtime import metrics
from prediction_service.runtime.admission import RECENT_ROWS, Admission, Admitted
from prediction_service.runtime.answers import Answers, answer, count_owed
from prediction_service.runtime.gaps import Gaps, pending_gaps
from prediction_service.runtime.position import Position
from prediction_service.runtime.rings import Rings
from prediction_service.settings import PredictionSettings
from prediction_service.store import endpoints, positions, predictions
from prediction_service.usecases import deliveries
from prediction_service.usecases.histories import Gathered, gather
from prediction_service.usecases.live_models import Cache, LiveModels, load_live_models
from prediction_service.usecases.live_rows import prediction_records, rows_with_predictions
from prediction_service.usecases.live_table import Superseded, marked, start_again_if_made_anew
from shared.coin_metrics import read
from shared.coin_metrics.clock import AHEAD
from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.read import Batch, Layout, concatenate, microseconds, moment
from shared.db import Connection, Pool, UniqueViolation, transaction
from shared.errors import PumpcastError

CATCHUP_BATCHES = 8
TEND_SECONDS = 1.0


class TableMissing(PumpcastError):
    """There is no coin_metrics yet."""

    code = "table_missing"


@dataclass(slots=True, kw_only=True)
class Stand:
    """All that the loop holds in memory; after any failure it is thrown away and read again."""

    owner: UUID
    position: Position
    models_version: int
    counters: dict[str, Any]
    layout: Layout
    admission: Admission
    rings: Rings
    gaps: Gaps
    models: LiveModels
    catching_up: bool
    """True after a start or a fault until nothing new is visible."""
    missed: int
    """Rows with ids up to this one came during an outage."""
    limit: int
    """How many rows the next look may bring."""
    looked_at_table: float = 0.0
    """Monotonic time of the last look whether the table was emptied."""
    tend_due: bool = False
    """True when that look was left out, since the one before was a moment ago."""


async def take_stand(
    pool: Pool, training: TrainingClient, settings: PredictionSettings, cache: Cache, *, owner: UUID, catching_up: bool
) -> Stand:
    """Take the position over as `owner` and read everything the loop needs."""
    owned = await positions.own(pool, owner)
    models = await load_live_models(pool, training, settings, cache, owned.position)
    columns = tuple(name for name in BASE_FEATURES if name in models.base_columns | {"price_close"})
    layout = await read.layout(pool, columns)
    if layout is None:
        raise TableMissing("the table coin_metrics does not exist yet")
    highest = await start_again_if_made_anew(pool, owner, owned)
    gaps = Gaps()
    if owned.position.pending:
        # Also rows that were held back, which only memory knew to be there.
        following = await positions.next_transaction(pool)
        gaps.watch(owned.position.pending, now=time.monotonic(), next_transaction=following)
    metrics.MODELS.set(len(models.models))
    return Stand(
        owner=owner,
        position=owned.position,
        models_version=owned.models_version,
        counters=owned.counters,
        layout=layout,
        admission=Admission(
            clock=None if owned.clock is None else microseconds(owned.clock),
            max_age=int(settings.catchup_max_age_seconds * 1e6),
            recent=await positions.newest_mints(pool, RECENT_ROWS),
        ),
        rings=Rings(depth=models.history_needed, columns=columns),
        gaps=gaps,
        models=models,
        catching_up=catching_up,
        missed=highest if catching_up else 0,
        limit=settings.batch_size,
    )


async def process_new_rows(pool: Pool, settings: PredictionSettings, stand: Stand, poke: asyncio.Event) -> bool:
    """Answer what has become visible since the last time; False when there was nothing."""
    started = time.perf_counter()
    async with pool.acquire() as connection:
        seen = await _look(connection, stand)
        if len(seen) == 0 and not _release_due(stand):
            stand.catching_up = False
            stand.limit = settings.batch_size
            await _tend(pool, stand)
            return False
        full = len(seen) >= stand.limit
        stand.limit = min(stand.limit * 2, settings.batch_size * CATCHUP_BATCHES) if full else settings.batch_size
        admitted = stand.admission.admit(seen, wall=time.time_ns() // 1000)
        gathered = await gather(
            connection, stand.layout, stand.rings, admitted.rows, high=stand.position.high,
            clock=stand.admission.clock or 0, unsure={*admitted.stale.mint, *admitted.repeats.mint},
        )  # fmt: skip
        known = await _already_answered(connection, stand, admitted.rows, gathered) if gathered.late.any() else set()
        position = _advance(stand, seen, admitted)
        stand.counters |= marked(seen)
        await _watch_gaps(connection, stand, position)
    try:
        await _answer_and_commit(pool, stand, admitted, gathered, known, position, started, poke)
    except UniqueViolation:
        # A repeat of a row that memory did not know: ask the table, then leave out what it holds.
        gathered.late[:] = True
        async with pool.acquire() as connection:
            known = await _already_answered(connection, stand, admitted.rows, gathered)
        await _answer_and_commit(pool, stand, admitted, gathered, known, position, started, poke)
    metrics.ROWS.inc(len(seen))
    metrics.BATCH_SECONDS.observe(time.perf_counter() - started)
    # A table that never rests leaves no idle moment.
    await _tend(pool, stand)
    return True


async def _look(connection: Connection, stand: Stand) -> Batch:
    parts = []
    due = stand.gaps.due(time.monotonic())
    if due:
        parts.append(await read.among(connection, stand.layout, ranges=due, most=stand.limit))
    parts.append(await read.since(connection, stand.layout, high=stand.position.high, most=stand.limit))
    return parts[0] if len(parts) == 1 else concatenate(parts)


def _release_due(stand: Stand) -> bool:
    release = stand.admission.next_release()
    return release is not None and release <= time.time_ns() // 1000 + AHEAD


def _advance(stand: Stand, seen: Batch, admitted: Admitted) -> Position:
    done = {*seen.id.tolist(), *admitted.rows.id.tolist(), *admitted.stale.id.tolist(), *admitted.repeats.id.tolist()}
    return stand.position.advanced(sorted(done), held=stand.admission.held_ids())


async def _watch_gaps(connection: Connection, stand: Stand, position: Position) -> None:
    ranges = pending_gaps(position, stand.admission.held_ids())
    following = await positions.next_transaction(connection) if stand.gaps.has_new(ranges) else 0
    stand.gaps.watch(ranges, now=time.monotonic(), next_transaction=following)


async def _tend(pool: Pool, stand: Stand) -> None:
    """Do what is due once a second: see whether the table was emptied, give up gaps that nothing can fill."""
    now = time.monotonic()
    stand.tend_due = now - stand.looked_at_table < TEND_SECONDS
    if stand.tend_due:
        return
    stand.looked_at_table = now
    file, _ = await positions.table_identity(pool)
    if file != stand.counters.get("file"):
        raise Superseded("coin_metrics was emptied or made anew")
    if not len(stand.gaps):
        return
    oldest = await positions.oldest_transaction(pool)
    dead = stand.gaps.dead(now=time.monotonic(), oldest_transaction=oldest)
    if dead:
        position = stand.position.without(dead)
        async with transaction(pool) as connection:
            await _save(connection, stand, position, stand.counters)
        stand.position = position
        stand.gaps.watch(pending_gaps(position, stand.admission.held_ids()), now=time.monotonic(), next_transaction=0)


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


async def _answer_and_commit(
    pool: Pool,
    stand: Stand,
    admitted: Admitted,
    gathered: Gathered,
    known: set[tuple[int, int]],
    position: Position,
    started: float,
    poke: asyncio.Event,
) -> None:
    rows = admitted.rows
    models = stand.models.models
    answers, skipped = await asyncio.to_thread(
        answer, models, admitted, gathered.histories, columns=stand.rings.columns, known=known
    )
    skipped["stale"] += count_owed(models, admitted.stale)
    counters = _counted(stand.counters, answers, skipped)
    duration_ms = (time.perf_counter() - started) * 1000
    records = prediction_records(answers, rows, created_at=datetime.now(UTC), duration_ms=duration_ms)
    sent = 0
    async with transaction(pool) as connection:
        if records:
            await predictions.copy_in(connection, records)
            targets = await endpoints.list_enabled(connection)
            if targets:
                price = stand.rings.columns.index("price_close")
                told = rows_with_predictions(
                    answers,
                    rows,
                    targets=targets,
                    actives=stand.models.actives,
                    price_column=price,
                    missed=stand.missed,
                )
                sent = await deliveries.enqueue(connection, targets, told)
        await _save(connection, stand, position, counters)
    stand.position, stand.counters = position, counters
    if sent:
        poke.set()
    _measure(answers, skipped)


async def _save(connection: Connection, stand: Stand, position: Position, counters: dict[str, Any]) -> None:
    clock = stand.admission.clock
    saved = await positions.save(
        connection, owner=stand.owner, models_version=stand.models_version, position=position,
        clock=None if clock is None else moment(clock), counters=counters,
    )  # fmt: skip
    if not saved:
        raise Superseded("the models changed or another worker took over")


def _counted(counters: dict[str, Any], answers: list[Answers], skipped: Counter[str]) -> dict[str, Any]:
    totals = Counter(counters.get("skipped", {}))
    totals.update(skipped)
    made = sum(len(given.rows) for given in answers)
    kept = {reason: number for reason, number in totals.items() if number}
    return counters | {"predictions": counters.get("predictions", 0) + made, "skipped": kept}


def _measure(answers: list[Answers], skipped: Counter[str]) -> None:
    for given in answers:
        metrics.PREDICTIONS.labels(given.model.active_id).inc(len(given.rows))
        metrics.ALERTS.inc(int(given.alert.sum()))
    for reason, number in skipped.items():
        metrics.SKIPPED.labels(reason).inc(number)
