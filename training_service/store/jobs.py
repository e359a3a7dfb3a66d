"""The table ml_jobs: work asked for, who does it, and the token that refuses late writers."""

from collections.abc import Sequence
from typing import Any

from shared.db import Connection, Executor, Queries, Record
from training_service.store.job_rows import ClaimedJob, Ending, Line, NewJob, NewTest, Queue

_queries = Queries.beside(__file__)

CHANNEL = "ml_jobs_insert"
JOB_TYPES = ["TRAIN", "TUNE", "TEST", "COMPARE"]
LEASE_SECONDS = 45.0
MOST_ATTEMPTS = 3
# Before the second attempt and the third: what made one fail may pass.
PAUSES_SECONDS = (5.0, 30.0)
MOST_LOST_LEASES = 10


async def open_names(connection: Connection, name: str, *, except_id: int = 0) -> set[str]:
    """Give the names of open jobs that are the name or the name with a number."""
    rows = await _queries.fetch(connection, "open_names", name=name, except_id=except_id)
    return {row["model_name"] for row in rows}


async def insert(connection: Connection, job: NewJob) -> int:
    """Write a job, wake the workers at commit, give its id."""
    job_id: int = await _queries.fetchval(
        connection,
        "insert",
        job_type=job.job_type,
        priority=job.priority,
        model_name=job.model_name,
        model_type=job.model_type,
        target_variable=job.target_variable,
        target_operator=job.target_operator,
        target_value=job.target_value,
        train_start=job.train_start,
        train_end=job.train_end,
        features=list(job.features),
        phases=None if job.phases is None else list(job.phases),
        params=job.params,
        future_minutes=job.future_minutes,
        price_change_percent=job.price_change_percent,
        target_direction=job.target_direction,
        warnings=list(job.warnings),
        request=job.request,
        request_id=job.request_id,
        traceparent=job.traceparent,
    )
    await _queries.execute(connection, "notify")
    return job_id


async def insert_test(connection: Connection, test: NewTest) -> int:
    """Write a job that measures models, wake the workers at commit, give its id."""
    job_id: int = await _queries.fetchval(
        connection,
        "insert_test",
        job_type=test.job_type,
        priority=test.priority,
        model_id=test.model_id,
        test_start=test.test_start,
        test_end=test.test_end,
        warnings=list(test.warnings),
        request=test.request,
        request_id=test.request_id,
        traceparent=test.traceparent,
    )
    await _queries.execute(connection, "notify")
    return job_id


async def get_log(executor: Executor, job_id: int) -> Record | None:
    """Give status and log of one job."""
    return await _queries.fetchrow(executor, "log", id=job_id)


async def look(executor: Executor, job_id: int, *, seen: str | None) -> Record | None:
    """Give where one job is; log and interim are None while its row is the version that was seen."""
    return await _queries.fetchrow(executor, "look", id=job_id, seen=seen)


async def get(executor: Executor, job_id: int) -> Record | None:
    """Give one job."""
    return await _queries.fetchrow(executor, "get", id=job_id)


async def list_page(
    executor: Executor, *, status: str | None, job_type: str | None, limit: int, offset: int
) -> tuple[list[Record], int]:
    """Give a page of jobs, newest first, and how many there are."""
    total = await _queries.fetchval(executor, "count", status=status, job_type=job_type)
    rows = await _queries.fetch(executor, "list", status=status, job_type=job_type, limit=limit, offset=offset)
    return rows, total


async def release_lost(executor: Executor) -> list[Record]:
    """Put jobs of lost workers back into the queue, or end them when that happened too often."""
    return await _queries.fetch(executor, "release_lost", most=MOST_LOST_LEASES)


async def claim(executor: Executor, *, worker: str) -> ClaimedJob | None:
    """Take the next waiting job under a lease."""
    row = await _queries.fetchrow(executor, "claim", worker=worker, lease_seconds=LEASE_SECONDS, job_types=JOB_TYPES)
    if row is None:
        return None
    return ClaimedJob(
        id=row["id"],
        token=row["lease_token"],
        job_type=row["job_type"],
        model_name=row["model_name"] or "",
        features=tuple(row["train_features"] or ()),
        params=row["train_params"] or {},
        request=row["request"],
        test_model_id=row["test_model_id"],
        test_start=row["test_start"],
        test_end=row["test_end"],
        warnings=tuple(row["warnings"]),
        interim=row["interim"],
        request_id=row["request_id"],
        traceparent=row["traceparent"],
        waited_seconds=row["waited_seconds"],
    )


async def renew(
    executor: Executor, job: ClaimedJob, *, progress: float, message: str, lines: Sequence[Line] = (),
    interim: dict[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Extend the lease and tell how far the job is; False when it is not ours any more."""
    return await _queries.fetchval(
        executor,
        "renew",
        id=job.id,
        token=job.token,
        lease_seconds=LEASE_SECONDS,
        progress=progress,
        message=message,
        interim=interim,
        **_told(lines),
    ) is True  # fmt: skip


async def is_held(executor: Executor, *, job_id: int, token: int) -> bool:
    """Tell whether the holder of this token still runs the job."""
    return await _queries.fetchval(executor, "is_held", id=job_id, token=token) is True


async def hold(connection: Connection, job: ClaimedJob) -> bool:
    """Lock the job until the transaction ends; False when it is not ours any more."""
    return await _queries.fetchval(connection, "hold", id=job.id, token=job.token) is True


async def finish(connection: Connection, job: ClaimedJob, ending: Ending) -> bool:
    """End a job with its result; False when it is not ours any more."""
    found = await _queries.fetchval(
        connection,
        "finish",
        id=job.id,
        token=job.token,
        model_id=ending.model_id,
        test_id=ending.test_id,
        comparison_id=ending.comparison_id,
        message=ending.message,
        warnings=list(ending.warnings),
        interim=ending.interim,
        **_told(ending.lines),
    )  # fmt: skip
    # Whoever waits for this job may go on.
    await _queries.execute(connection, "notify")
    return found is True


async def take_run_key(connection: Connection, job: ClaimedJob, run_key: str) -> int | None:
    """Note the key of the work, or give the job that is doing equal work now; inside a transaction."""
    await _queries.execute(connection, "lock_run_key", run_key=run_key)
    holder: int | None = await _queries.fetchval(connection, "run_key_holder", run_key=run_key, id=job.id)
    if holder is None:
        await _queries.execute(connection, "set_run_key", run_key=run_key, id=job.id, token=job.token)
    return holder


async def fail(
    executor: Executor, job: ClaimedJob, *, error: str, is_final: bool, lines: Sequence[Line] = (),
    interim: dict[str, Any] | None = None,
) -> str | None:  # fmt: skip
    """End an attempt; give the status the job has now, None when it is not ours any more."""
    status: str | None = await _queries.fetchval(
        executor,
        "fail",
        id=job.id,
        token=job.token,
        error=error,
        is_final=is_final,
        most=MOST_ATTEMPTS,
        pauses=list(PAUSES_SECONDS),
        interim=interim,
        **_told(lines),
    )
    return status


async def put_back(
    executor: Executor, job: ClaimedJob, *, reason: str, waits_for: int | None = None, lines: Sequence[Line] = (),
    interim: dict[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Put a running job back into the queue without counting an attempt; False when it is not ours any more.

    With `waits_for` it is claimed again when that job does not run any more.
    """
    return await _queries.fetchval(
        executor,
        "put_back",
        id=job.id,
        token=job.token,
        reason=reason,
        waits_for=waits_for,
        interim=interim,
        **_told(lines),
    ) is True  # fmt: skip


async def cancel(connection: Connection, job_id: int) -> Record | None:
    """Cancel a waiting or running job; None when it is neither."""
    row = await _queries.fetchrow(connection, "cancel", id=job_id)
    await _queries.execute(connection, "notify")
    return row


async def retry(connection: Connection, job_id: int, *, name: str | None) -> Record | None:
    """Let a failed or cancelled job wait again, for a model of that name if it makes one; None when it is neither."""
    row = await _queries.fetchrow(connection, "retry", id=job_id, name=name)
    await _queries.execute(connection, "notify")
    return row


async def totals(executor: Executor) -> dict[tuple[str, str], int]:
    """Count jobs by type and status."""
    return {(row["job_type"], row["status"]): row["jobs"] for row in await _queries.fetch(executor, "totals")}


async def endings_before(executor: Executor) -> dict[tuple[str, str], int]:
    """Count by type and status how often jobs that were run again had ended before."""
    rows = await _queries.fetch(executor, "endings_before")
    return {(row["job_type"], status): row[status.lower()] for row in rows for status in ("FAILED", "CANCELLED")}


async def queue(executor: Executor) -> Queue:
    """Look at the queue."""
    row = await _queries.fetchrow(executor, "queue")
    assert row is not None
    return Queue(oldest_seconds=row["oldest_seconds"], overdue=row["overdue"])


def _told(lines: Sequence[Line]) -> dict[str, list[Any]]:
    return {"lines": [line.message for line in lines], "moments": [line.at for line in lines]}
