"""What a claimed job asks of the process that does it."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shared.db import Pool, Record
from shared.errors import JobFailed, Unavailable
from shared.tracing import present_ids
from training_service.settings import TrainingSettings
from training_service.store import jobs, models
from training_service.store.job_rows import ClaimedJob
from training_service.usecases.record import fresh_id
from training_service.usecases.task import CompareTask, TestedModel, TestTask, TrainTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every attempt of a worker needs."""

    pool: Pool
    dsn: str
    settings: TrainingSettings
    folder: Path
    """Where model files of the training service live."""

    @property
    def incoming_folder(self) -> Path:
        """Give the folder of files that are not yet a model's."""
        return self.folder / ".incoming"

    def incoming(self, job: ClaimedJob) -> Path:
        """Give the place of a file that is not yet a model's."""
        return self.incoming_folder / f"{job.id}-{job.token}.zip"

    def clear(self, job: ClaimedJob) -> None:
        """Remove the file of an attempt that is over, and what a process killed while writing has left of it."""
        path = self.incoming(job)
        for left in [path, *path.parent.glob(f".{path.name}.*.tmp")]:
            with suppress(OSError):
                left.unlink()

    def make_room(self) -> None:
        """Make the folder of files to come, where somebody has removed it; Unavailable when that cannot be."""
        try:
            self.incoming_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"the model store cannot be made ({error.strerror}): check MODEL_STORAGE_PATH and its rights, "
                "then retry the job"
            ) from error


def log_fields(job: ClaimedJob) -> dict[str, str]:
    """Give what every log line about a job carries beside its id, also those of the process that does it."""
    request = {} if job.request_id is None else {"request_id": job.request_id}
    return {"job_type": job.job_type, **request, **present_ids()}


async def make_task(shop: Workshop, job: ClaimedJob) -> TrainTask | TestTask | CompareTask:
    """Give the task of a job; JobFailed when a model that it measures is gone."""
    max_rows = shop.settings.max_training_rows
    if job.job_type in {"TRAIN", "TUNE"}:
        return TrainTask(
            job_id=job.id,
            log_fields=log_fields(job),
            model_id=await fresh_id(shop.pool, shop.folder),
            name=job.model_name,
            request=job.request,
            features=job.features,
            params=job.params,
            is_tuned=job.job_type == "TUNE",
            trials=tuple(job.interim.get("trials", ())),
            trials_key=job.interim.get("run_key"),
            dsn=shop.dsn,
            path=shop.incoming(job),
            signing_key=shop.settings.artifact_signing_key,
            max_rows=max_rows,
        )
    assert job.test_start is not None
    assert job.test_end is not None
    ids = [job.test_model_id] if job.test_model_id is not None else list(job.request["model_ids"])
    rows = await models.by_ids(shop.pool, ids)
    tested = tuple([await _tested(shop, model_id, rows.get(model_id)) for model_id in ids])
    if job.job_type == "TEST":
        return TestTask(
            job_id=job.id,
            log_fields=log_fields(job),
            dsn=shop.dsn,
            max_rows=max_rows,
            model=tested[0],
            test_start=job.test_start,
            test_end=job.test_end,
        )
    return CompareTask(
        job_id=job.id,
        log_fields=log_fields(job),
        dsn=shop.dsn,
        max_rows=max_rows,
        models=tested,
        test_start=job.test_start,
        test_end=job.test_end,
    )


async def _tested(shop: Workshop, model_id: int, row: Record | None) -> TestedModel:
    if row is None or row["is_deleted"]:
        raise JobFailed(f"model {model_id} was deleted before it could be tested: ask for another one")
    if row["status"] != "READY" or not row["model_file_path"]:
        raise JobFailed(f"model {model_id} is {row['status']}: it has no file that could be tested")
    made_by = await jobs.get(shop.pool, row["job_id"]) if row["job_id"] is not None else None
    return TestedModel(
        model_id=model_id,
        name=row["name"],
        path=Path(row["model_file_path"]),
        sha256=row["model_file_sha256"],
        train_start=row["train_start"],
        train_end=row["train_end"],
        train_accuracy=row["training_accuracy"],
        train_f1=row["training_f1"],
        train_precision=row["training_precision"],
        train_recall=row["training_recall"],
        request={} if made_by is None else made_by["request"],
    )
