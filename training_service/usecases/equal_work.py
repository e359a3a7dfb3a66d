"""Equal work is done once: find the model that it has made, or wait for the job that is making it."""

import asyncio
from pathlib import Path

import structlog

from shared.db import ConnectionLost, Executor, transaction
from training_service.store import jobs, models
from training_service.usecases.assign import Workshop
from training_service.usecases.lease import Lease

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0


async def same_work(shop: Workshop, lease: Lease, run_key: str) -> int | None:
    """Give the model that equal work has made, waiting while another job is at it; None: this job is to make it."""
    job = lease.job
    forced = bool(job.request.get("force"))
    told = 0
    while True:
        try:
            found = None if forced else await _model(shop.pool, run_key)
            if found is not None:
                return found
            async with transaction(shop.pool) as connection:
                holder = await jobs.take_run_key(connection, job, run_key)
                if forced:
                    return None
                if holder is None:
                    # Whoever held the key until a moment ago may have left a model.
                    return await _model(connection, run_key)
        except ConnectionLost as error:
            # For how long is for the lease to say.
            log.warning("equal work cannot be looked for yet", error=type(error).__name__)
        else:
            if holder != told:
                told = holder
                lease.say(f"waits for job {holder}, which does equal work")
        await asyncio.sleep(LOOK_SECONDS)


async def _model(executor: Executor, run_key: str) -> int | None:
    for row in await models.by_run_key(executor, run_key):
        # Where its file is lost, the work is worth doing again.
        if await asyncio.to_thread(Path(row["model_file_path"]).is_file):
            return int(row["id"])
    return None
