"""Accept tests and comparisons of models that are there."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.contracts.results import CompareModels, TestModel
from shared.contracts.training import CreatedJob, Warned
from shared.db import Connection, Pool, Record, transaction
from shared.errors import Conflict, NotFound
from shared.tracing import traceparent
from training_service.ml.overlap import find_overlap, short_window
from training_service.store import jobs, models
from training_service.store.job_rows import NewTest


async def ask_test(pool: Pool, model_id: int, *, request: TestModel, request_id: str | None) -> CreatedJob:
    """Write a job that measures one model on a window."""
    async with transaction(pool) as connection:
        [model] = await _ready(connection, [model_id])
        job_id = await _insert(connection, request, [model], request_id=request_id)
    return _created(job_id, request, [model])


async def ask_comparison(pool: Pool, *, request: CompareModels, request_id: str | None) -> CreatedJob:
    """Write a job that measures several models on the same rows."""
    async with transaction(pool) as connection:
        found = await _ready(connection, request.model_ids)
        job_id = await _insert(connection, request, found, request_id=request_id)
    return _created(job_id, request, found)


async def _ready(connection: Connection, model_ids: Sequence[int]) -> list[Record]:
    found = await models.by_ids(connection, model_ids)
    for model_id in model_ids:
        model = found.get(model_id)
        if model is None or model["is_deleted"]:
            raise NotFound(f"There is no model {model_id}" + (": it was deleted" if model is not None else ""))
        if model["status"] != "READY":
            raise Conflict(f"Model {model_id} is {model['status']}: only a READY one can be measured")
    return [found[model_id] for model_id in model_ids]


async def _insert(
    connection: Connection, request: TestModel | CompareModels, measured: Sequence[Record], *, request_id: str | None
) -> int:
    is_one = isinstance(request, TestModel)
    return await jobs.insert_test(
        connection,
        NewTest(
            job_type="TEST" if is_one else "COMPARE",
            priority=request.priority,
            model_id=measured[0]["id"] if is_one else None,
            test_start=request.test_start,
            test_end=request.test_end,
            # The result will carry them, measured.
            warnings=[],
            request=request.model_dump(mode="json"),
            request_id=request_id,
            traceparent=traceparent(),
        ),
    )


def _created(job_id: int, request: TestModel | CompareModels, measured: Sequence[Record]) -> CreatedJob:
    return CreatedJob(
        job_id=job_id,
        status="PENDING",
        message=f"job {job_id} waits for a worker",
        name=", ".join(model["name"] for model in measured),
        warnings=_foreseen(request.test_start, request.test_end, measured),
    )


def _foreseen(start: datetime, end: datetime, measured: Sequence[Record]) -> list[Warned]:
    """Tell what the window alone shows."""
    short = short_window(start, end)
    warnings = [] if short is None else [Warned(code="short_test", message=short)]
    for model in measured:
        overlap = find_overlap(
            train_start=model["train_start"],
            train_end=model["train_end"],
            horizon=timedelta(minutes=model["future_minutes"] or 0),
            test_start=start,
            test_end=end,
        )
        if overlap is not None:
            warnings.append(Warned(code="overlap", message=f"model {model['id']}: {overlap}"))
    return warnings
