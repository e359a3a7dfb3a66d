"""One attempt at a job: done in a process of its own, the lease kept beside it, ended with a result or a reason."""

import asyncio
import os
import time
from pathlib import Path

import structlog
from prometheus_client import Gauge, Histogram

from shared.db import transaction
from shared.errors import JobFailed
from training_service.store import jobs, models
from training_service.store.jobs import ClaimedJob
from training_service.usecases.assign import Workshop, make_task
from training_service.usecases.conclude import conclude, died, fail
from training_service.usecases.fitting import Fitting, FittingDied, SameModel
from training_service.usecases.lease import TROUBLE, Lease
from training_service.usecases.task import CompareTask, Keyed, Result, TestTask, TrainTask

log = structlog.get_logger(__name__)

WAIT_FOR_EQUAL_SECONDS = 1.0
ACTIVE = Gauge("ml_active_jobs", "Jobs this worker runs")
DURATION = Histogram(
    "ml_jobs_duration_seconds",
    "Time of a job's attempt",
    ["job_type"],
    buckets=(1, 3, 10, 30, 60, 180, 600, 1800, 7200),
)


async def run_attempt(shop: Workshop, job: ClaimedJob, *, stop: asyncio.Event) -> None:
    """Run a claimed job to its end, to the loss of its lease, or until the worker stops."""
    structlog.contextvars.bind_contextvars(job_id=job.id, job_type=job.job_type)
    started = time.monotonic()
    with ACTIVE.track_inprogress():
        try:
            await _attempt(shop, job, stop=stop)
        except TROUBLE as error:
            # The lease runs out by itself, and the job is taken up again.
            log.warning("job given up: database trouble", error=type(error).__name__, detail=str(error)[:500])
        finally:
            await asyncio.to_thread(shop.incoming(job).unlink, missing_ok=True)
    DURATION.labels(job.job_type).observe(time.monotonic() - started)


async def _attempt(shop: Workshop, job: ClaimedJob, *, stop: asyncio.Event) -> None:
    try:
        task = await make_task(shop, job)
        fitting = await Fitting.start(task)
    except JobFailed as error:
        await fail(shop, job, error.message, is_final=True)
        return
    except FittingDied as error:
        await died(shop, job, error)
        return
    log.info("work started", child=fitting.pid)
    lease = Lease(job=job, interim={"trials": list(task.trials)} if isinstance(task, TrainTask) and task.trials else {})

    async def settle(keyed: Keyed) -> int | None:
        return await _same_work(shop, lease, keyed.run_key)

    result = asyncio.create_task(fitting.result(lease.note, settle))
    keeping = asyncio.create_task(lease.keep(shop.pool))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({result, keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if result.done():
            await _end(shop, lease, task, result)
            if not isinstance(result.exception(), Exception) and not isinstance(result.result(), SameModel):
                await fitting.leave()
        elif keeping.done():
            log.warning("job lost: cancelled, or given to another worker")
        else:
            await fitting.end()
            handed = await jobs.hand_back(shop.pool, job)
            log.info("job handed back" if handed else "job was taken away")
    finally:
        for running in (result, keeping, stopping):
            running.cancel()
        await asyncio.gather(result, keeping, stopping, return_exceptions=True)
        await fitting.end()


async def _end(
    shop: Workshop, lease: Lease, task: TrainTask | TestTask | CompareTask, result: "asyncio.Task[Result | SameModel]"
) -> None:
    try:
        outcome = result.result()
    except FittingDied as error:
        await died(shop, lease.job, error)
        return
    await conclude(shop, lease, task, outcome)


async def _same_work(shop: Workshop, lease: Lease, run_key: str) -> int | None:
    """Give the model that equal work has made; wait while equal work is under way; None to go on."""
    job = lease.job
    forced = bool(job.request.get("force"))
    told = 0
    while True:
        found = None if forced else await models.by_run_key(shop.pool, run_key)
        # Where its file is lost, the work is worth doing again.
        if found is not None and await asyncio.to_thread(Path(found["model_file_path"]).is_file):
            return int(found["id"])
        async with transaction(shop.pool) as connection:
            holder = await jobs.take_run_key(connection, job, run_key)
        if holder is None or forced:
            return None
        if holder != told:
            told = holder
            lease.note(lease.step.model_copy(update={"message": f"waits for job {holder}, which does equal work"}))
        await asyncio.sleep(WAIT_FOR_EQUAL_SECONDS)


def worker_name(host: str) -> str:
    """Give the name a worker claims jobs under."""
    return f"{host}:{os.getpid()}"
