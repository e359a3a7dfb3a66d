"""Make the results of tests and comparisons known, each with the end of its job or not at all."""

from collections.abc import Sequence

from shared.db import Connection, Pool, transaction
from shared.errors import JobFailed
from training_service.store import jobs, results
from training_service.usecases.lease import Lease
from training_service.usecases.task import Compared, Tested


async def record_test(pool: Pool, lease: Lease, tested: Tested) -> bool:
    """Write a test result and the end of its job; False when the job is not ours any more.

    Raises JobFailed when the model was deleted meanwhile.
    """
    async with transaction(pool) as connection:
        if not await jobs.hold(connection, lease.job):
            return False
        await _hold_models(connection, [tested.model_id])
        test_id = await _put(connection, tested, job_id=lease.job.id)
        message = f"model {tested.model_id} is measured: test result {test_id}"
        ending = lease.ending(message, test_id=test_id, warnings=tested.warnings)
        return await jobs.finish(connection, lease.job, ending)


async def record_comparison(pool: Pool, lease: Lease, compared: Compared) -> bool:
    """Write a comparison, its test results and the end of its job; False when the job is not ours any more.

    Raises JobFailed when one of the models was deleted meanwhile.
    """
    model_ids = [tested.model_id for tested in compared.tests]
    first = compared.tests[0]
    async with transaction(pool) as connection:
        if not await jobs.hold(connection, lease.job):
            return False
        await _hold_models(connection, model_ids)
        # In one order for everybody: two comparisons of the same models would otherwise wait for each other.
        ordered = sorted(compared.tests, key=lambda tested: tested.model_id)
        test_ids = {tested.model_id: await _put(connection, tested, job_id=lease.job.id) for tested in ordered}
        comparison_id = await results.insert_comparison(
            connection,
            model_ids=model_ids,
            model_a_id=model_ids[0],
            model_b_id=model_ids[1],
            test_start=first.test_start,
            test_end=first.test_end,
            test_result_ids=[test_ids[model_id] for model_id in model_ids],
            winner_id=compared.winner_id,
            results=compared.results,
            warnings=list(compared.warnings),
            job_id=lease.job.id,
        )
        ending = lease.ending(
            f"comparison {comparison_id}: {compared.results['sentence']}",
            comparison_id=comparison_id,
            warnings=compared.warnings,
        )
        return await jobs.finish(connection, lease.job, ending)


async def _hold_models(connection: Connection, model_ids: Sequence[int]) -> None:
    present = await results.hold_models(connection, model_ids)
    gone = [model_id for model_id in model_ids if model_id not in present]
    if gone:
        raise JobFailed(f"model {gone[0]} was deleted while it was measured: nothing is recorded, ask for another one")


async def _put(connection: Connection, tested: Tested, *, job_id: int) -> int:
    columns = tested.model_dump(exclude={"kind", "warnings"})
    return await results.put_test(connection, **columns, warnings=list(tested.warnings), job_id=job_id)
