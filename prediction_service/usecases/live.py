"""The live rule: every row that commits while a model is active gets exactly one prediction from it.

Notified or not, the loop always asks the same question: which rows have become visible since the stored position? Their
answers and the new position commit together, so a crash at any moment repeats nothing and loses nothing. What is in
memory moves on only after the commit.
"""

import asyncio
import time

from prediction_service.runtime import metrics
from prediction_service.runtime.gaps import without_rows
from prediction_service.settings import PredictionSettings
from prediction_service.store import positions
from prediction_service.usecases.live_step import Step, prepare, think_again
from prediction_service.usecases.live_table import Superseded
from prediction_service.usecases.live_write import give_up, write
from prediction_service.usecases.stand import OUTAGE_SECONDS, Stand
from shared.coin_metrics import read
from shared.db import Connection, ForeignKeyViolation, Pool, UniqueViolation
from shared.tracing import LIVE_BATCH, span

TEND_SECONDS = 1.0


async def process_new_rows(pool: Pool, settings: PredictionSettings, stand: Stand, poke: asyncio.Event) -> bool:
    """Answer what has become visible since the last time; False when there was nothing."""
    await _note_outage(pool, settings, stand)
    async with pool.acquire() as connection:
        step = await _next(connection, settings, stand)
        if step is None:
            stand.catching_up = False
            stand.limit = settings.batch_size
        else:
            if step.full and not _tend_is_due(stand):
                # The next batch is read and answered while the server writes this one.
                stand.following = asyncio.create_task(_prepare_beside(pool, settings, stand, step))
            with span(LIVE_BATCH, rows=step.seen, models=len(stand.models.models)):
                await _finish(connection, stand, step, poke)
    if stand.following is None:
        # Also when rows were found: a table that never rests leaves no idle moment.
        await _tend(pool, stand)
    return step is not None


async def let_go(stand: Stand) -> None:
    """Take back the batch that was prepared ahead; it is looked for again."""
    following, stand.following = stand.following, None
    if following is None:
        return
    following.cancel()
    await asyncio.wait([following])
    if not following.cancelled() and following.exception() is None and (step := following.result()) is not None:
        step.drop(stand.rings)


async def _note_outage(pool: Pool, settings: PredictionSettings, stand: Stand) -> None:
    """Mark what came while this process stood still, as a stopped one does."""
    before, stand.looked = stand.looked, time.monotonic()
    if stand.looked - before > OUTAGE_SECONDS + settings.polling_interval_seconds:
        _, stand.missed = await positions.table_identity(pool)
        stand.catching_up = True


async def _next(connection: Connection, settings: PredictionSettings, stand: Stand) -> Step | None:
    following, stand.following = stand.following, None
    step: Step | None = None if following is None else await following
    return step or await prepare(connection, settings, stand)


async def _prepare_beside(pool: Pool, settings: PredictionSettings, stand: Stand, before: Step) -> Step | None:
    async with pool.acquire() as connection:
        return await prepare(connection, settings, stand, before)


async def _finish(connection: Connection, stand: Stand, step: Step, poke: asyncio.Event) -> None:
    try:
        try:
            sent = await write(connection, stand, step)
        except (UniqueViolation, ForeignKeyViolation):
            # A repeat of a row that memory did not know: ask the table, then leave out what it holds. Or an endpoint is
            # gone since it was asked for.
            await think_again(connection, stand, step)
            sent = await write(connection, stand, step)
    except BaseException:
        await let_go(stand)
        step.drop(stand.rings)
        raise
    if sent:
        poke.set()
    if not step.full:
        stand.unanswered_since = None
    metrics.BATCH_SECONDS.observe(time.perf_counter() - step.started)


def _tend_is_due(stand: Stand) -> bool:
    return time.monotonic() - stand.looked_at_table >= TEND_SECONDS


async def _tend(pool: Pool, stand: Stand) -> None:
    """Do what is due once a second: see whether the table was emptied, give up gaps that nothing can fill."""
    stand.tend_due = not _tend_is_due(stand)
    if stand.tend_due:
        return
    stand.looked_at_table = time.monotonic()
    file, _ = await positions.table_identity(pool)
    if file != stand.table_mark.get("file"):
        raise Superseded("coin_metrics was emptied or made anew")
    if not len(stand.gaps):
        return
    oldest = await positions.oldest_transaction(pool)
    dead = stand.gaps.dead(now=time.monotonic(), oldest_transaction=oldest)
    if dead:
        # Their transactions have ended, but some may have done so with a commit since rows were looked for.
        filled = await read.among(pool, stand.layout, ranges=dead, most=stand.limit)
        if len(filled) >= stand.limit:
            stand.gaps.look_again()
        else:
            await give_up(pool, stand, without_rows(dead, filled.id.tolist()))
