"""Tasks as the worker gives them to the process that does a job, made from a request alone."""

from datetime import datetime
from pathlib import Path
from typing import Any

from shared.contracts.model_request import CreateModel, TuneModel
from shared.features import FeatureSpec
from training_service.ml.model_types import resolve_parameters
from training_service.usecases.task import TestedModel, TestTask, Trained, TrainTask

MOST_ROWS = 5_000_000


def train_task(request: CreateModel, *, model_id: int, dsn: str, path: Path) -> TrainTask:
    """Give the task of a model."""
    spec, _ = FeatureSpec.resolve(
        request.features,
        use_engineered=request.use_engineered_features,
        windows=request.feature_engineering_windows,
        target=request.target().to_target(),
    )
    return TrainTask(
        job_id=model_id,
        model_id=model_id,
        name=request.name,
        request=request.model_dump(mode="json"),
        features=spec.names,
        params=resolve_parameters(request.model_type, request.params),
        is_tuned=isinstance(request, TuneModel),
        dsn=dsn,
        path=path,
        signing_key="",
        max_rows=MOST_ROWS,
    )


def test_task(task: TrainTask, trained: Trained, *, start: datetime, end: datetime) -> TestTask:
    """Give the task of testing a model on a window."""
    request: dict[str, Any] = task.request
    return TestTask(
        job_id=task.job_id,
        dsn=task.dsn,
        max_rows=MOST_ROWS,
        model=TestedModel(
            model_id=task.model_id,
            name=task.name,
            path=task.path,
            sha256=trained.sha256,
            train_start=datetime.fromisoformat(request["train_start"]),
            train_end=datetime.fromisoformat(request["train_end"]),
            train_accuracy=trained.training_accuracy,
            train_f1=trained.training_f1,
            train_precision=trained.training_precision,
            train_recall=trained.training_recall,
            request=request,
        ),
        test_start=start,
        test_end=end,
    )
