"""The live rule: every row that commits while a model is active gets exactly one prediction from it.

Notified or not, the loop always asks the same question: which rows have become visible since the stored position? Their
answers and the new position commit together, so a crash at any moment repeats nothing and loses nothing. What is in
memory moves on only after the commit.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prediction_service.runtime import journal, metrics
from prediction_service.runtime.admission import Admission, Admitted
from prediction_service.runtime.answers import Answers, answer, count_owed
from prediction_service.runtime.gaps import pending_gaps
from prediction_service.runtime.position import Position
from prediction_service.settings import PredictionSettings
from prediction_service.store import batches, endpoints, positions, predictions
from prediction_service.store.endpoints import Endpoint
from prediction_service.usecases import deliveries
from prediction_service.usecases.cooldowns import CooldownBatch
from prediction_service.usecases.histories import Gathered, gather
from prediction_service.usecases.live_rows import prediction_records, rows_with_predictions
from prediction_service.usecases.live_table import Superseded, marked
from prediction_service.usecases.stand import Stand
from shared.coin_metrics import read
from shared.coin_metrics.clock import AHEAD
from shared.coin_metrics.read import Batch, concatenate, moment
from shared.db import Connection, ForeignKeyViolation, Pool, UniqueViolation, transaction

CATCHUP_BATCHES = 8
TEND_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One batch on its way, and where the loop will stand when it is committed."""

    started: float
    seen: int
    """Rows that were looked at."""
    admission: Admission
    admitted: Admitted
    gathered: Gathered
    position: Position
    mark: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Commit:
    """What was saved, to be taken over once the transaction has ended well."""

    position: Position
    standings: dict[int, positions.Standing]
    counters: dict[str, Any]
    table_mark: dict[str, Any]
    transaction: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What a batch wrote, likewise."""

    answers: list[Answers]
    skipped: Counter[str]
    sent: int
    newest: int
    paused: CooldownBatch
    commit: _Commit


async def process_new_rows(pool: Pool, settings: PredictionSettings, stand: Stand, poke: asyncio.Event) -> bool:
    """Answer what has become visible since the last time; False when there was nothing."""
    started = time.perf_counter()
    async with pool.acquire() as connection:
        seen = await _look(connection, stand)
        found = len(seen) > 0 or _release_due(stand)
        if found:
            await _process(connection, settings, stand, seen, started, poke)
        else:
            stand.catching_up = False
            stand.limit = settings.batch_size
    # Also when rows were found: a table that never rests leaves no idle moment.
    await _tend(pool, stand)
    return found


async def _process(
    connection: Connection,
    settings: PredictionSettings,
    stand: Stand,
    seen: Batch,
    started: float,
    poke: asyncio.Event,
) -> None:
    full = len(seen) >= stand.limit
    stand.limit = min(stand.limit * 2, settings.batch_size * CATCHUP_BATCHES) if full else settings.batch_size
    admission = stand.admission.copy()
    admitted = admission.admit(seen, wall=time.time_ns() // 1000, mine=stand.mine)
    try:
        gathered = await gather(
            connection, stand.layout, stand.rings, admitted.rows, high=stand.done_up_to(admitted.rows),
            clock=admission.clock or 0, unsure={*admitted.stale.mint, *admitted.repeats.mint},
        )  # fmt: skip
        step = _Step(
            started=started, seen=len(seen), admission=admission, admitted=admitted, gathered=gathered,
            position=_advanced(stand, seen, admission), mark=marked(seen),
        )  # fmt: skip
        known = await _already_answered(connection, stand, step) if gathered.late.any() else set()
        try:
            sent = await _answer_and_commit(connection, stand, step, known)
        except (UniqueViolation, ForeignKeyViolation):
            # A repeat of a row that memory did not know: ask the table, then leave out what it holds. Or an endpoint is
            # gone since it was asked for.
            gathered.late[:] = True
            known = await _already_answered(connection, stand, step)
            sent = await _answer_and_commit(connection, stand, step, known)
    except BaseException:
        # Memory holds rows of theirs that do not count yet.
        for mint in admitted.rows.mint:
            stand.rings.forget(mint)
        raise
    if sent:
        poke.set()
    metrics.ROWS.inc(len(seen))
    metrics.BATCH_SECONDS.observe(time.perf_counter() - started)


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


def _advanced(stand: Stand, seen: Batch, admission: Admission) -> Position:
    done = {*seen.id.tolist(), *stand.admission.held_ids()}
    return stand.position.advanced(sorted(done), held=admission.held_ids())


async def _tend(pool: Pool, stand: Stand) -> None:
    """Do what is due once a second: see whether the table was emptied, give up gaps that nothing can fill."""
    now = time.monotonic()
    stand.tend_due = now - stand.looked_at_table < TEND_SECONDS
    if stand.tend_due:
        return
    stand.looked_at_table = now
    file, _ = await positions.table_identity(pool)
    if file != stand.table_mark.get("file"):
        raise Superseded("coin_metrics was emptied or made anew")
    if not len(stand.gaps):
        return
    oldest = await positions.oldest_transaction(pool)
    dead = stand.gaps.dead(now=time.monotonic(), oldest_transaction=oldest)
    if dead:
        async with transaction(pool) as connection:
            commit = await _save(connection, stand, stand.position.without(dead), stand.admission, {}, {})
        _move(stand, commit, stand.admission)


async def _already_answered(connection: Connection, stand: Stand, step: _Step) -> set[tuple[int, int]]:
    """Give (active id, row index) of answers that the table already holds."""
    rows = step.admitted.rows
    indexes = step.gathered.late.nonzero()[0].tolist()
    coins = [rows.mint[index] for index in indexes]
    times = [moment(int(rows.timestamp[index])) for index in indexes]
    found = await predictions.existing(connection, list(stand.models.actives), coins, times)
    places: dict[tuple[str, datetime], list[int]] = {}
    for index, coin, at in zip(indexes, coins, times, strict=True):
        places.setdefault((coin, at), []).append(index)
    return {(active, index) for active, coin, at in found for index in places.get((coin, at), ())}


async def _answer_and_commit(connection: Connection, stand: Stand, step: _Step, known: set[tuple[int, int]]) -> int:
    """Give how many messages were written with the answers."""
    thinking = asyncio.ensure_future(
        asyncio.to_thread(
            answer, stand.models.models, step.admitted, step.gathered.histories, columns=stand.rings.columns,
            known=known,
        )
    )  # fmt: skip
    try:
        async with connection.transaction():
            # Asked while the models think.
            targets = await endpoints.list_enabled(connection)
            done = await _write(connection, stand, step, targets, *await thinking)
    finally:
        thinking.cancel()
    stand.newest_prediction = done.newest
    stand.cooldowns.keep(done.paused)
    _move(stand, done.commit, step.admission)
    _measure(done.answers, done.skipped)
    return done.sent


async def _write(
    connection: Connection,
    stand: Stand,
    step: _Step,
    targets: list[Endpoint],
    answers: list[Answers],
    skipped: Counter[str],
) -> _Written:
    rows, models = step.admitted.rows, stand.models.models
    # Counted apart from the answers, so that the books can show that one is missing.
    came = [count_owed(models, part) for part in (rows, step.admitted.repeats, step.admitted.stale)]
    skipped["stale"] += came[-1][1]
    duration_ms = (time.perf_counter() - step.started) * 1000
    records = prediction_records(answers, rows, created_at=datetime.now(UTC), duration_ms=duration_ms)
    sent, newest, paused = 0, stand.newest_prediction, stand.cooldowns.batch()
    if records:
        await predictions.copy_in(connection, records)
        entries = journal.entries(answers, rows, duration_ms=duration_ms)
        newest = await batches.insert(connection, first_id=newest + 1, entries=entries)
        sent = await _enqueue(connection, stand, targets, answers, rows, paused) if targets else 0
    counters = _counted(stand.counters, answers, skipped, came)
    commit = await _save(connection, stand, step.position, step.admission, counters, step.mark)
    return _Written(answers=answers, skipped=skipped, sent=sent, newest=newest, paused=paused, commit=commit)


async def _enqueue(
    connection: Connection,
    stand: Stand,
    targets: list[Endpoint],
    answers: list[Answers],
    rows: Batch,
    paused: CooldownBatch,
) -> int:
    told = rows_with_predictions(
        answers, rows, targets=targets, actives=stand.models.actives,
        price_column=stand.rings.columns.index("price_close"), missed=stand.missed, paused=paused,
    )  # fmt: skip
    return await deliveries.enqueue(connection, targets, told, paused)


async def _save(
    connection: Connection,
    stand: Stand,
    position: Position,
    admission: Admission,
    counters: dict[str, Any],
    mark: dict[str, Any],
) -> _Commit:
    standings = stand.standings(position, admission.clock)
    counters, table_mark = counters or stand.counters, stand.table_mark | mark
    number = await positions.save(
        connection, owner=stand.owner, models_version=stand.models_version, standings=standings, counters=counters,
        table_mark=table_mark,
    )  # fmt: skip
    if number is None:
        raise Superseded("the models changed or another worker took over")
    return _Commit(position=position, standings=standings, counters=counters, table_mark=table_mark, transaction=number)


def _move(stand: Stand, commit: _Commit, admission: Admission) -> None:
    stand.move(commit.position, commit.standings)
    stand.counters, stand.table_mark, stand.admission = commit.counters, commit.table_mark, admission
    # The transaction of the batch began after the look: its number lies above those of all that were open then.
    ranges = pending_gaps(commit.position, admission.held_ids())
    stand.gaps.watch(ranges, now=time.monotonic(), next_transaction=commit.transaction)


def _counted(
    counters: dict[str, Any], answers: list[Answers], skipped: Counter[str], came: list[tuple[int, int]]
) -> dict[str, Any]:
    totals = Counter(counters.get("skipped", {}))
    owed = counters.get("owed", counters.get("predictions", 0) + totals.total())
    totals.update(skipped)
    made = sum(len(given.rows) for given in answers)
    kept = {reason: number for reason, number in totals.items() if number}
    return counters | {
        "rows": counters.get("rows", 0) + sum(rows for rows, _ in came),
        "owed": owed + sum(answers for _, answers in came),
        "predictions": counters.get("predictions", 0) + made,
        "skipped": kept,
    }


def _measure(answers: list[Answers], skipped: Counter[str]) -> None:
    for given in answers:
        metrics.PREDICTIONS.labels(given.model.active_id).inc(len(given.rows))
        metrics.ALERTS.inc(int(given.alert.sum()))
    for reason, number in skipped.items():
        metrics.SKIPPED.labels(reason).inc(number)
