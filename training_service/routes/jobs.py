"""Routes of the job queue."""

from fastapi import APIRouter

from shared.contracts.fields import PathId
from shared.contracts.jobs import Job, JobList
from shared.contracts.training import JobStatus, JobType
from shared.errors import NotFound
from training_service.deps import Limit, Offset, PoolDep
from training_service.routes.embedding import with_results
from training_service.store import jobs
from training_service.usecases import jobs as job_usecases

router = APIRouter(prefix="/queue", tags=["queue"])


@router.get("", summary="Jobs, newest first")
async def list_jobs(
    pool: PoolDep,
    status: JobStatus | None = None,
    job_type: JobType | None = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> JobList:
    rows, total = await jobs.list_page(pool, status=status, job_type=job_type, limit=limit, offset=offset)
    return JobList(jobs=await with_results(pool, rows), total=total)


@router.get("/{job_id:int}", summary="One job with its result")
async def get_job(pool: PoolDep, job_id: PathId) -> Job:
    row = await jobs.get(pool, job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}")
    return (await with_results(pool, [row]))[0]


@router.post("/{job_id:int}/cancel", summary="Cancel a waiting or running job")
async def cancel_job(pool: PoolDep, job_id: PathId) -> Job:
    return (await with_results(pool, [await job_usecases.cancel(pool, job_id)]))[0]


@router.post("/{job_id:int}/retry", summary="Run a failed or cancelled job again")
async def retry_job(pool: PoolDep, job_id: PathId) -> Job:
    return (await with_results(pool, [await job_usecases.retry(pool, job_id)]))[0]
