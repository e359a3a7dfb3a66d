"""A batch is written: answers, messages, journal and position in one transaction; then memory moves on."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from prediction_service.runtime import journal, metrics
from prediction_service.runtime.admission import Admission
from prediction_service.runtime.answers import Answers, count_owed
from prediction_service.runtime.gaps import pending_gaps
from prediction_service.runtime.position import Position
from prediction_service.store import batches, endpoints, positions, predictions
from prediction_service.store.endpoints import Endpoint
from prediction_service.usecases import deliveries
from prediction_service.usecases.cooldowns import CooldownBatch
from prediction_service.usecases.live_rows import prediction_records, rows_with_predictions
from prediction_service.usecases.live_step import Step
from prediction_service.usecases.live_table import Superseded
from prediction_service.usecases.stand import Stand
from shared.coin_metrics.read import Batch
from shared.db import Connection, Pool, transaction

log = structlog.get_logger(__name__)


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
    sent: list[int]
    """Ids of the messages."""
    newest: int
    paused: CooldownBatch
    commit: _Commit


async def write(connection: Connection, stand: Stand, step: Step) -> int:
    """Commit a batch; give how many messages were written with it."""
    async with connection.transaction():
        # Asked while the models think.
        targets = await endpoints.list_enabled(connection)
        done = await _write(connection, stand, step, targets, *await step.thinking)
    before, stand.newest_prediction = stand.newest_prediction, done.newest
    stand.cooldowns.keep(done.paused)
    _move(stand, done.commit, step.admission)
    _measure(stand, done.answers)
    _tell(done, first_prediction_id=before + 1)
    return len(done.sent)


def _tell(done: _Written, *, first_prediction_id: int) -> None:
    # No request led to them: their batch and its models take the place of its id.
    if done.sent:
        log.info(
            "messages written",
            count=len(done.sent),
            first_delivery_id=min(done.sent),
            last_delivery_id=max(done.sent),
            first_prediction_id=first_prediction_id,
            last_prediction_id=done.newest,
            active_model_ids=sorted(given.model.active_id for given in done.answers),
        )


async def give_up(pool: Pool, stand: Stand, dead: list[tuple[int, int]]) -> None:
    """Take pending ranges as done, since nothing can fill them any more."""
    async with transaction(pool) as connection:
        commit = await _save(connection, stand, stand.position.without(dead), stand.admission, {}, {})
    _move(stand, commit, stand.admission)


async def _write(
    connection: Connection,
    stand: Stand,
    step: Step,
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
    sent: list[int] = []
    newest, paused = stand.newest_prediction, stand.cooldowns.batch()
    if records:
        await predictions.copy_in(connection, records)
        entries = journal.entries(answers, rows, duration_ms=duration_ms)
        newest = await batches.insert(connection, first_id=newest + 1, entries=entries)
        sent = await _enqueue(connection, stand, targets, answers, rows, paused) if targets else []
    counters = _counted(stand.counters, answers, skipped, came)
    commit = await _save(connection, stand, step.position, step.admission, counters, step.mark)
    return _Written(answers=answers, sent=sent, newest=newest, paused=paused, commit=commit)


async def _enqueue(
    connection: Connection,
    stand: Stand,
    targets: list[Endpoint],
    answers: list[Answers],
    rows: Batch,
    paused: CooldownBatch,
) -> list[int]:
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


def _measure(stand: Stand, answers: list[Answers]) -> None:
    made = sum(len(given.rows) for given in answers)
    # Of rows that came while nobody looked, it is not known when.
    if made and stand.unanswered_since is not None and not stand.catching_up:
        metrics.INSERT_SECONDS.observe(time.monotonic() - stand.unanswered_since, times=made)
