"""Equal work is done once: find the model that it has made, or the job that is making it."""

import asyncio
from pathlib import Path

import structlog

from shared.db import ConnectionLost, Executor, transaction
from training_service.store import jobs, models
from training_service.usecases.assign import Workshop
from training_service.usecases.fitting import SameJob, SameModel
from training_service.usecases.lease import Lease

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0


async def same_work(shop: Workshop, lease: Lease, run_key: str) -> SameModel | SameJob | None:
    """Give the model that equal work has made, or the job that is at it; None: this job is to make it."""
    job = lease.job
    forced = bool(job.request.get("force"))
    while True:
        try:
            if not forced and (found := await _model(shop.pool, run_key)) is not None:
                return found
            async with transaction(shop.pool) as connection:
                holder = await jobs.take_run_key(connection, job, run_key)
                if forced:
                    return None
                if holder is not None:
                    return SameJob(job_id=holder)
                # Whoever held the key until a moment ago may have left a model.
                return await _model(connection, run_key)
        except ConnectionLost as error:
            # For how long is for the lease to say.
            log.warning("equal work cannot be looked for yet", error=type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)


async def _model(executor: Executor, run_key: str) -> SameModel | None:
    for row in await models.by_run_key(executor, run_key):
        # Where its file is lost, the work is worth doing again.
        if await asyncio.to_thread(Path(row["model_file_path"]).is_file):
            return SameModel(model_id=row["id"])
    return None
