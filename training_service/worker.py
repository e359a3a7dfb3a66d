"""The training worker as a process: takes jobs from the queue and has them fitted."""

import asyncio
import socket

import structlog

from shared.background import run_worker
from shared.db import ConnectionLost, PostgresError, open_pool
from shared.embedded import database
from shared.errors import Unavailable
from shared.folders import make_folder
from shared.migrate import pending
from shared.process_metrics import ERRORS, WORKER_POOL
from shared.settings import read_settings_or_exit
from shared.wakeup import Wakeup
from training_service.settings import TrainingSettings
from training_service.store import jobs
from training_service.store.job_rows import ClaimedJob
from training_service.store.jobs import CHANNEL
from training_service.usecases import metrics
from training_service.usecases.assign import Workshop
from training_service.usecases.attempts import run_attempt, worker_name
from training_service.usecases.record import sweep

log = structlog.get_logger(__name__)

TROUBLE_SECONDS = 1.0
# A worker that is frozen inside a transaction holds its locks, on the names of models for one, no longer than this.
STALLED_SECONDS = 30.0


async def work(settings: TrainingSettings, stop: asyncio.Event) -> None:
    """Run the worker on the database of the settings until `stop`."""
    folder = settings.model_folder("training")
    make_folder(folder / ".incoming")
    with database(settings) as dsn:
        missing = await asyncio.to_thread(pending, dsn)
        if missing:
            raise Unavailable(f"the database lacks {len(missing)} migrations: run `pumpcast migrate`")
        pool = await open_pool(
            dsn,
            application="training-worker",
            max_size=4 + 2 * settings.max_concurrent_jobs,
            session={"idle_in_transaction_session_timeout": str(round(STALLED_SECONDS * 1000))},
        )
        WORKER_POOL.pool = pool
        try:
            await sweep(pool, folder)
            async with Wakeup(dsn, CHANNEL) as wakeup:
                shop = Workshop(pool=pool, dsn=dsn, settings=settings, folder=folder)
                await _take_jobs(shop, wakeup, stop)
        finally:
            await pool.close()


async def _take_jobs(shop: Workshop, wakeup: Wakeup, stop: asyncio.Event) -> None:
    worker = worker_name(socket.gethostname())
    poking = asyncio.create_task(_poke_at_stop(wakeup, stop))
    async with asyncio.TaskGroup() as group:
        running: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            try:
                # Also when all hands are full: one of them may wait for the job of a worker that is lost.
                await _release_lost(shop)
                while len(running) < shop.settings.max_concurrent_jobs and not stop.is_set():
                    job = await jobs.claim(shop.pool, worker=worker)
                    if job is None:
                        break
                    task = group.create_task(_run(shop, job, stop, wakeup))
                    running.add(task)
                    task.add_done_callback(running.discard)
            except (*ConnectionLost, PostgresError) as error:
                ERRORS.labels(type(error).__name__).inc()
                log.warning("queue cannot be read, trying again", error=type(error).__name__)
                await wakeup.wait(TROUBLE_SECONDS)
                continue
            await wakeup.wait(shop.settings.job_poll_interval)
    poking.cancel()


async def _release_lost(shop: Workshop) -> None:
    lost = await jobs.release_lost(shop.pool)
    metrics.LOST_JOBS.inc(len(lost))
    for row in lost:
        log.warning("job of a lost worker", job_id=row["id"], status=row["status"])
    if lost:
        await sweep(shop.pool, shop.folder)


async def _run(shop: Workshop, job: ClaimedJob, stop: asyncio.Event, wakeup: Wakeup) -> None:
    try:
        await run_attempt(shop, job, stop=stop)
    except Exception as error:
        ERRORS.labels(type(error).__name__).inc()
        # One job must not end the others; its lease runs out and it is taken up again.
        log.exception("attempt ended by a fault of ours", job_id=job.id)
    finally:
        wakeup.poke()


async def _poke_at_stop(wakeup: Wakeup, stop: asyncio.Event) -> None:
    await stop.wait()
    wakeup.poke()


def main() -> None:
    """Start the training worker."""
    settings = read_settings_or_exit(TrainingSettings)
    run_worker(
        lambda stop: work(settings, stop),
        settings=settings,
        service="training-worker",
        metrics_port=settings.training_metrics_port,
    )


if __name__ == "__main__":
    main()
