"""The end of an attempt: record what was made, or say why there is nothing."""

import structlog

from shared.db import ConnectionLost, PostgresError
from shared.errors import JobFailed, PumpcastError
from training_service.store import jobs
from training_service.usecases.assign import Workshop
from training_service.usecases.fitting import FittingDied, SameJob, SameModel
from training_service.usecases.lease import Lease
from training_service.usecases.record import record_model, record_same
from training_service.usecases.record_results import record_comparison, record_test
from training_service.usecases.task import Compared, CompareTask, Failed, Result, Tested, TestTask, Trained, TrainTask

log = structlog.get_logger(__name__)

Task = TrainTask | TestTask | CompareTask
Outcome = Result | SameModel | SameJob | FittingDied


async def conclude(shop: Workshop, lease: Lease, task: Task, outcome: Outcome) -> None:
    """Write the end of an attempt into the database."""
    if isinstance(outcome, SameJob):
        reason = f"waits for job {outcome.job_id}, which does equal work"
        await put_back(shop, lease, reason, waits_for=outcome.job_id)
        return
    if isinstance(outcome, Failed):
        await fail(shop, lease, outcome.error, is_final=True)
        return
    if isinstance(outcome, FittingDied):
        # Another attempt may go better.
        await fail(shop, lease, outcome.message, is_final=False)
        return
    try:
        recorded = await _record(shop, lease, task, outcome)
    except ConnectionLost:
        raise
    except JobFailed as error:
        await fail(shop, lease, error.message, is_final=True)
        return
    except (PumpcastError, PostgresError) as error:
        log.exception("result cannot be recorded")
        reason = error.message if isinstance(error, PumpcastError) else type(error).__name__
        await fail(shop, lease, f"the result could not be recorded: {reason}", is_final=False)
        return
    log.info("result recorded" if recorded else "result refused: the job was taken away")


async def fail(shop: Workshop, lease: Lease, error: str, *, is_final: bool) -> None:
    """End an attempt without a result; what was not told of it yet is told."""
    status = await jobs.fail(
        shop.pool, lease.job, error=error, is_final=is_final, lines=lease.lines, interim=lease.interim or None
    )
    log.warning("attempt failed", error=error, status=status)


async def put_back(shop: Workshop, lease: Lease, reason: str, *, waits_for: int | None = None) -> None:
    """End an attempt that does not count; what was not told of it yet is told."""
    is_back = await jobs.put_back(
        shop.pool,
        lease.job,
        reason=reason,
        waits_for=waits_for,
        lines=lease.lines,
        interim=lease.interim or None,
    )
    log.info("job put back" if is_back else "job was taken away", reason=reason)


async def _record(shop: Workshop, lease: Lease, task: Task, outcome: Trained | Tested | Compared | SameModel) -> bool:
    match outcome:
        case SameModel():
            return await record_same(shop.pool, lease, outcome.model_id)
        case Trained():
            assert isinstance(task, TrainTask)
            return await record_model(
                shop.pool, lease, outcome, model_id=task.model_id, incoming=task.path, folder=shop.folder
            )
        case Tested():
            return await record_test(shop.pool, lease, outcome)
        case Compared():
            return await record_comparison(shop.pool, lease, outcome)
