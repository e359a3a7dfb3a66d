"""Make a finished model known: its file, its row and the end of its job, together or not at all."""

import asyncio
import os
import re
from pathlib import Path

import structlog

from shared.contracts.model_request import CreateModel, TuneModel
from shared.db import Connection, ConnectionLost, Pool, transaction
from shared.errors import Unavailable
from training_service.store import jobs, models
from training_service.store.job_rows import ClaimedJob
from training_service.usecases.job_warnings import join_warnings
from training_service.usecases.jobs import target_columns
from training_service.usecases.lease import Lease
from training_service.usecases.names import free_name
from training_service.usecases.task import Trained

log = structlog.get_logger(__name__)

_TRACE = re.compile(r"\d{1,18}-\d{1,18}\.(?P<file>model_[a-z][a-z0-9_]*_(?P<id>\d{1,18})\.zip)")


async def record_model(
    pool: Pool, lease: Lease, trained: Trained, *, model_id: int, incoming: Path, folder: Path
) -> bool:
    """Write model and job in one transaction, the file renamed inside it; False when the job is not ours any more."""
    job = lease.job
    request = (TuneModel if job.job_type == "TUNE" else CreateModel).model_validate(job.request)
    final = folder / f"model_{request.model_type}_{model_id}.zip"
    # Outlives a process that is killed between renaming and commit, and so lets the sweep find the file.
    trace = incoming.with_name(f"{job.id}-{job.token}.{final.name}")
    moved = False
    try:
        async with transaction(pool) as connection:
            # The names are locked before the job, as by everybody else.
            name = await free_name(connection, job.model_name, except_job=job.id)
            if not await jobs.hold(connection, job):
                return False
            await asyncio.to_thread(_move, incoming, final, trace)
            moved = True
            await _insert(connection, job, request, trained, model_id=model_id, name=name, path=final)
            await jobs.finish(
                connection,
                job,
                lease.ending(f"model {model_id} is ready", model_id=model_id, warnings=trained.warnings),
            )
    except (*ConnectionLost, asyncio.CancelledError):
        # Whether the commit arrived is unknown: the sweep will know.
        raise
    except BaseException:
        if moved:
            await asyncio.to_thread(final.unlink, missing_ok=True)
        await asyncio.to_thread(trace.unlink, missing_ok=True)
        raise
    await asyncio.to_thread(trace.unlink, missing_ok=True)
    return True


async def record_same(pool: Pool, lease: Lease, model_id: int) -> bool:
    """End a job with the model that equal work has made; False when the job is not ours any more."""
    message = f"same as model {model_id}: request, rows and code are equal"
    async with transaction(pool) as connection:
        if not await jobs.hold(connection, lease.job):
            return False
        notice = {"code": "same_as_model", "message": f"{message}; force trains anyway"}
        return await jobs.finish(connection, lease.job, lease.ending(message, model_id=model_id, warnings=(notice,)))


async def _insert(
    connection: Connection,
    job: ClaimedJob,
    request: CreateModel,
    trained: Trained,
    *,
    model_id: int,
    name: str,
    path: Path,
) -> None:
    target = request.target()
    columns = trained.model_dump(exclude={"kind", "sha256", "features", "warnings"})
    await models.insert(
        connection,
        id=model_id,
        name=name,
        model_type=request.model_type,
        description=request.description,
        **target_columns(target),
        label_mode=target.label_mode if target.kind == "time" else None,
        label_resolution=target.label_resolution if target.kind == "time" else None,
        train_start=request.train_start,
        train_end=request.train_end,
        features=list(trained.features),
        phases=request.phases,
        warnings=join_warnings(job.warnings, trained.warnings),
        model_file_path=str(path),
        model_file_sha256=trained.sha256,
        job_id=job.id,
        **columns,
    )


async def fresh_id(pool: Pool, folder: Path) -> int:
    """Give an id for a model that is still to be made, none whose file a database before this one has left."""
    while True:
        model_id = await models.reserve_id(pool)
        if not await asyncio.to_thread(lambda: any(folder.glob(f"model_*_{model_id}.zip"))):  # noqa: B023
            return model_id


async def sweep(pool: Pool, folder: Path) -> int:
    """Remove results that killed processes left, of jobs that nobody runs any more; give their number."""
    swept = 0
    # Of a folder that somebody has removed, glob gives nothing.
    for path in [path for path in (folder / ".incoming").glob("*") if path.is_file()]:
        job_id, token = _job_and_token(path.name)
        if not await jobs.is_held(pool, job_id=job_id, token=token):
            # A result is committed under a lock on its job: what is not there by now never comes.
            model = _TRACE.fullmatch(path.name)
            if model is not None and await models.get(pool, int(model["id"])) is None:
                (folder / model["file"]).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            swept += 1
    if swept:
        log.info("left-over files removed", files=swept)
    return swept


def _job_and_token(name: str) -> tuple[int, int]:
    # 12-3.zip, or .12-3.zip.456.tmp while it is written.
    found = re.match(r"\.?(\d{1,18})-(\d{1,18})\.", name)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _move(incoming: Path, final: Path, trace: Path) -> None:
    if final.exists():
        # Ids are never given twice by one database.
        raise Unavailable(
            f"{final.name} is there already: another database uses the same MODEL_STORAGE_PATH, or used it before"
        )
    try:
        trace.touch()
        incoming.rename(final)
        handle = os.open(final.parent, os.O_RDONLY)
    except OSError as error:
        raise Unavailable(
            f"the model store cannot take the file ({error.strerror}): check room and rights of MODEL_STORAGE_PATH"
        ) from error
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
