"""Accept, cancel and retry jobs."""

import asyncio
from collections.abc import Iterable
from typing import Any

from shared.contracts.artifact import RuleTargetSpec, TimeTargetSpec
from shared.contracts.model_request import CreateModel, TuneModel
from shared.contracts.training import CreatedJob, Warned
from shared.db import Pool, Record, transaction
from shared.errors import Conflict, NotFound, Unavailable
from shared.features import Notice
from shared.tracing import traceparent
from training_service.store import jobs, models
from training_service.store.job_rows import NewJob
from training_service.usecases.names import free_name
from training_service.usecases.preflight import CREATE_SECONDS, Preflight
from training_service.usecases.resolve import Resolved, resolve_request


def to_warnings(notices: Iterable[Notice]) -> list[dict[str, str]]:
    """Give notices as they are stored and answered."""
    return [{"code": notice.code, "message": notice.message} for notice in notices]


async def enqueue(
    pool: Pool, looks: Preflight | None = None, *, request: CreateModel, request_id: str | None
) -> CreatedJob:
    """Check what the request alone shows, tell what the rows show, name the model and write the job."""
    resolved = await resolve_request(pool, request)
    kind, target = resolved.kind, request.target()
    warnings = to_warnings(resolved.notices) if looks is None else await _look(looks, resolved)
    async with transaction(pool) as connection:
        name = await free_name(connection, request.name)
        await models.add_type(connection, name=kind.name, title=kind.title, description=kind.description)
        job = NewJob(
            job_type="TUNE" if isinstance(request, TuneModel) else "TRAIN",
            priority=request.priority,
            model_name=name,
            model_type=request.model_type,
            train_start=request.train_start,
            train_end=request.train_end,
            features=resolved.spec.names,
            phases=request.phases,
            params=dict(resolved.params),
            warnings=warnings,
            request=request.model_dump(mode="json"),
            request_id=request_id,
            traceparent=traceparent(),
            **target_columns(target),
        )
        job_id = await jobs.insert(connection, job)
    message = f"job {job_id} waits for a worker" + (
        "" if name == request.name else f"; the model will be named {name!r}"
    )
    return CreatedJob(
        job_id=job_id, status="PENDING", message=message, name=name, warnings=[Warned(**item) for item in warnings]
    )


async def _look(looks: Preflight, resolved: Resolved) -> list[dict[str, str]]:
    """Give the warnings of a look at the rows; the job is accepted whatever they say."""
    try:
        async with asyncio.timeout(CREATE_SECONDS):
            report = await looks.inspect(resolved, patience_seconds=CREATE_SECONDS)
    except (TimeoutError, Unavailable) as error:
        reason = error.message if isinstance(error, Unavailable) else f"that took longer than {CREATE_SECONDS:g} s"
        message = f"the rows were not looked at beforehand: {reason}"
        return to_warnings([*resolved.notices, Notice(code="not_preflighted", message=message)])
    failing = [{"code": "will_fail", "message": error} for error in report.errors]
    return [*failing, *(warned.model_dump() for warned in report.warnings)]


def target_columns(target: TimeTargetSpec | RuleTargetSpec) -> dict[str, Any]:
    """Give a target as the columns of a model, which jobs share."""
    timed, ruled = target if target.kind == "time" else None, target if target.kind == "rule" else None
    return {
        "target_variable": target.target_var,
        "target_operator": ruled and ruled.operator,
        "target_value": ruled and ruled.target_value,
        "future_minutes": timed and timed.future_minutes,
        "price_change_percent": timed and timed.min_percent_change,
        "target_direction": timed and timed.direction,
    }


async def cancel(pool: Pool, job_id: int) -> Record:
    """Cancel a job that is not over; its worker notices within seconds and stops the fitting."""
    async with transaction(pool) as connection:
        job = await jobs.cancel(connection, job_id)
        if job is None:
            status = await _status(connection, job_id)
            raise Conflict(f"Job {job_id} is {status}: only a waiting or running one can be cancelled")
        return job


async def retry(pool: Pool, job_id: int) -> Record:
    """Let a failed or cancelled job run once more, from the beginning and with fresh attempts."""
    async with transaction(pool) as connection:
        # The names are locked before the job, as by everybody else.
        await models.lock_names(connection)
        found = await jobs.get(connection, job_id)
        if found is None:
            raise NotFound(f"There is no job {job_id}")
        wanted = found["request"].get("name")
        name = None if wanted is None else await free_name(connection, wanted, except_job=job_id)
        job = await jobs.retry(connection, job_id, name=name)
        if job is None:
            raise Conflict(f"Job {job_id} is {found['status']}: only a failed or cancelled one can be retried")
        return job


async def _status(connection: Any, job_id: int) -> str:
    found = await jobs.get(connection, job_id)
    if found is None:
        raise NotFound(f"There is no job {job_id}")
    return str(found["status"])
