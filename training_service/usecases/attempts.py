"""One attempt at a job: done in a process of its own, the lease kept beside it, ended with a result or a reason."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

import structlog

from shared.db import ConnectionLost
from shared.errors import JobFailed, Unavailable
from shared.process_metrics import ERRORS
from training_service.store.job_rows import ClaimedJob
from training_service.usecases import metrics
from training_service.usecases.assign import Workshop, log_fields, make_task
from training_service.usecases.conclude import Outcome, Task, conclude, fail, put_back
from training_service.usecases.equal_work import same_work
from training_service.usecases.fitting import Fitting, FittingDied, SameJob, SameModel
from training_service.usecases.job_spans import Stages, attempt_span
from training_service.usecases.lease import TROUBLE, Lease
from training_service.usecases.task import Keyed, Result, Step, Trained

log = structlog.get_logger(__name__)

RECORD_AGAIN_SECONDS = 1.0
HEARING_SECONDS = 1.0


async def run_attempt(shop: Workshop, job: ClaimedJob, *, stop: asyncio.Event) -> None:
    """Run a claimed job to its end, to the loss of its lease, or until the worker stops."""
    structlog.contextvars.bind_contextvars(job_id=job.id, **log_fields(job))
    started = time.monotonic()
    if job.waited_seconds is not None:
        metrics.QUEUE_WAIT.observe(job.waited_seconds)
    with metrics.ACTIVE.track_inprogress(), attempt_span(job):
        try:
            await _attempt(shop, job, stop=stop)
        except TROUBLE as error:
            # The lease runs out by itself, and the job is taken up again.
            ERRORS.labels(type(error).__name__).inc()
            log.warning("job given up: database trouble", error=type(error).__name__, detail=str(error)[:500])
        finally:
            await asyncio.to_thread(shop.clear, job)
    metrics.DURATION.observe(time.monotonic() - started)


async def _attempt(shop: Workshop, job: ClaimedJob, *, stop: asyncio.Event) -> None:
    try:
        # Made anew where somebody has removed it: the models that were in it are lost, the next ones are not.
        await asyncio.to_thread(shop.make_room)
        task = await make_task(shop, job)
        fitting = await Fitting.start(task)
    except JobFailed as error:
        await fail(shop, Lease(job=job), error.message, is_final=True)
        return
    except (FittingDied, Unavailable) as error:
        await fail(shop, Lease(job=job), error.message, is_final=False)
        return
    log.info("work started", child=fitting.pid)
    # Trials of earlier attempts are gone on from; folds are scored anew.
    kept = (
        {"trials": [*job.interim["trials"]], "run_key": job.interim.get("run_key")} if "trials" in job.interim else {}
    )
    lease = Lease(job=job, interim=kept)

    async def settle(keyed: Keyed) -> SameModel | SameJob | None:
        lease.know(keyed.run_key)
        return await same_work(shop, lease, keyed.run_key)

    result = asyncio.create_task(_hear(fitting, lease, settle))
    keeping = asyncio.create_task(lease.keep(shop.pool))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({result, keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if result.done():
            outcome = await _outcome(result)
            await _end(shop, lease, task, outcome, stop=stop)
            if not isinstance(outcome, SameModel | SameJob | FittingDied):
                await fitting.leave()
        elif keeping.done():
            log.warning("job lost: cancelled, or given to another worker")
        else:
            await fitting.end()
            # What the process had said by then is told as well.
            await asyncio.wait({result}, timeout=HEARING_SECONDS)
            async with lease.telling:
                await put_back(shop, lease, "handed back by a stopping worker")
    finally:
        for running in (result, keeping, stopping):
            running.cancel()
        await asyncio.gather(result, keeping, stopping, return_exceptions=True)
        await fitting.end()


async def _hear(
    fitting: Fitting, lease: Lease, settle: Callable[[Keyed], Awaitable[SameModel | SameJob | None]]
) -> Result | SameModel | SameJob:
    with Stages() as stages:

        def note(step: Step) -> None:
            stages.at(step.message)
            lease.note(step)

        return await fitting.result(note, settle)


async def _outcome(result: "asyncio.Task[Result | SameModel | SameJob]") -> Outcome:
    try:
        return await result
    except FittingDied as error:
        return error


async def _end(shop: Workshop, lease: Lease, task: Task, outcome: Outcome, *, stop: asyncio.Event) -> None:
    while True:
        try:
            # Nothing is told of the job while its end is written: the end tells all of it.
            async with lease.telling:
                await conclude(shop, lease, task, outcome)
        except ConnectionLost as error:
            # A file that was moved belongs to a commit of which nobody knows whether it arrived.
            is_moved = isinstance(outcome, Trained) and not await asyncio.to_thread(shop.incoming(lease.job).exists)
            if is_moved or lease.expired or stop.is_set():
                raise
            log.warning("result cannot be recorded yet", error=type(error).__name__)
        else:
            return
        await asyncio.sleep(RECORD_AGAIN_SECONDS)


def worker_name(host: str) -> str:
    """Give the name a worker claims jobs under."""
    return f"{host}:{os.getpid()}"
