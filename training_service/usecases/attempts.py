"""One attempt at a job: fit in a process of its own, keep the lease beside it, record the model or say why not."""

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from prometheus_client import Gauge, Histogram

from shared.db import ConnectionLost, Pool, PostgresError
from shared.errors import PumpcastError
from training_service.settings import TrainingSettings
from training_service.store import jobs
from training_service.store.jobs import LEASE_SECONDS, ClaimedJob
from training_service.usecases.fitting import Fitting, FittingDied
from training_service.usecases.record import fresh_id, record_model
from training_service.usecases.task import Failed, Step, Trained, TrainTask

log = structlog.get_logger(__name__)

RENEW_SECONDS = 10.0
WATCH_SECONDS = 1.0
ACTIVE = Gauge("ml_active_jobs", "Jobs this worker runs")
DURATION = Histogram(
    "ml_jobs_duration_seconds",
    "Time of a job's attempt",
    ["job_type"],
    buckets=(1, 3, 10, 30, 60, 180, 600, 1800, 7200),
)
TROUBLE = (*ConnectionLost, PostgresError)


@dataclass(slots=True)
class _Lease:
    """What the watcher of a job last told the database."""

    step: Step = field(default_factory=lambda: Step(progress=0, message="started"))
    renewed: float = field(default_factory=time.monotonic)
    told: Step | None = None

    @property
    def expired(self) -> bool:
        return time.monotonic() - self.renewed > LEASE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every attempt of a worker needs."""

    pool: Pool
    dsn: str
    settings: TrainingSettings
    folder: Path
    """Where model files of the training service live."""

    def incoming(self, job: ClaimedJob) -> Path:
        """Give the place of a file that is not yet a model's."""
        return self.folder / ".incoming" / f"{job.id}-{job.token}.zip"


async def run_attempt(shop: Workshop, job: ClaimedJob, *, stop: asyncio.Event) -> None:
    """Run a claimed job to its end, to the loss of its lease, or until the worker stops."""
    structlog.contextvars.bind_contextvars(job_id=job.id)
    started = time.monotonic()
    with ACTIVE.track_inprogress():
        try:
            await _attempt(shop, job, stop=stop)
        except TROUBLE as error:
            # The lease runs out by itself, and the job is taken up again.
            log.warning("job given up: database trouble", error=type(error).__name__, detail=str(error)[:500])
        finally:
            await asyncio.to_thread(shop.incoming(job).unlink, missing_ok=True)
    DURATION.labels("TRAIN").observe(time.monotonic() - started)


async def _attempt(shop: Workshop, job: ClaimedJob, *, stop: asyncio.Event) -> None:
    model_id = await fresh_id(shop.pool, shop.folder)
    lease = _Lease()
    try:
        fitting = await Fitting.start(_task(shop, job, model_id))
    except FittingDied as error:
        await _fail(shop, job, error)
        return
    log.info("fitting started", model=job.model_name, model_id=model_id, child=fitting.pid)

    def note(step: Step) -> None:
        lease.step = step

    result = asyncio.create_task(fitting.result(note))
    keeping = asyncio.create_task(_keep_lease(shop.pool, job, lease))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({result, keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if result.done():
            await _conclude(shop, job, model_id, result)
            await fitting.leave()
        elif keeping.done():
            log.warning("job lost: cancelled, or given to another worker")
        else:
            await fitting.end()
            handed = await jobs.hand_back(shop.pool, job)
            log.info("job handed back" if handed else "job was taken away")
    finally:
        for task in (result, keeping, stopping):
            task.cancel()
        await asyncio.gather(result, keeping, stopping, return_exceptions=True)
        await fitting.end()


def _task(shop: Workshop, job: ClaimedJob, model_id: int) -> TrainTask:
    return TrainTask(
        job_id=job.id,
        model_id=model_id,
        name=job.model_name,
        request=job.request,
        features=job.features,
        params=job.params,
        dsn=shop.dsn,
        path=shop.incoming(job),
        signing_key=shop.settings.artifact_signing_key,
        max_rows=shop.settings.max_training_rows,
    )


async def _conclude(shop: Workshop, job: ClaimedJob, model_id: int, result: "asyncio.Task[Failed | Trained]") -> None:
    try:
        outcome = result.result()
    except FittingDied as error:
        await _fail(shop, job, error)
        return
    if isinstance(outcome, Failed):
        status = await jobs.fail(shop.pool, job, error=outcome.error, is_final=True)
        log.warning("job failed", error=outcome.error, status=status)
        return
    try:
        recorded = await record_model(
            shop.pool, job, outcome, model_id=model_id, incoming=shop.incoming(job), folder=shop.folder
        )
    except ConnectionLost:
        raise
    except (PumpcastError, PostgresError) as error:
        log.exception("model cannot be recorded", model_id=model_id)
        reason = error.message if isinstance(error, PumpcastError) else type(error).__name__
        await jobs.fail(shop.pool, job, error=f"the model could not be recorded: {reason}", is_final=False)
        return
    log.info("model recorded" if recorded else "result refused: the job was taken away", model_id=model_id)


async def _fail(shop: Workshop, job: ClaimedJob, error: FittingDied) -> None:
    status = await jobs.fail(shop.pool, job, error=error.message, is_final=False)
    log.warning("attempt failed", error=error.message, status=status)


async def _keep_lease(pool: Pool, job: ClaimedJob, lease: _Lease) -> None:
    """Return when the job is not ours any more: cancelled, taken, or not renewed for too long."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        due = lease.step != lease.told or time.monotonic() - lease.renewed > RENEW_SECONDS
        step, at = lease.step, time.monotonic()
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                if not due:
                    held = await jobs.is_held(pool, job_id=job.id, token=job.token)
                else:
                    held = await jobs.renew(pool, job, progress=step.progress, message=step.message)
        except TROUBLE as error:
            log.warning("lease cannot be renewed", error=type(error).__name__)
            if lease.expired:
                return
            continue
        if not held:
            return
        if due:
            lease.told, lease.renewed = step, at


def worker_name(host: str) -> str:
    """Give the name a worker claims jobs under."""
    return f"{host}:{os.getpid()}"
