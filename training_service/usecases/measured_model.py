"""A model to be measured: its file opened as it is served, and the rows it is asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.artifact import Scorer, read_artifact, verify
from shared.coin_metrics.load import load_range
from shared.contracts.artifact import Manifest
from shared.contracts.model_request import CreateModel
from shared.errors import ArtifactInvalid, JobFailed
from shared.features import FeatureSpec
from shared.labels import TimeTarget
from shared.labels.targets import MICROSECONDS_PER_MINUTE
from training_service.ml.returns import Costs
from training_service.ml.window import Question, Stretch
from training_service.usecases.prepare import OPTIONAL_COLUMNS
from training_service.usecases.task import CompareTask, TestedModel, TestTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A model that answers."""

    model: TestedModel
    manifest: Manifest
    scorer: Scorer
    question: Question
    costs: Costs
    """Those it was asked for with."""
    random_state: int


def open_model(model: TestedModel) -> Opened:
    """Read and prove the file of a model; JobFailed where it is gone or damaged."""
    try:
        content = model.path.read_bytes()
    except FileNotFoundError as error:
        raise JobFailed(
            f"the file of model {model.model_id} is gone from the model store: train the model again"
        ) from error
    except OSError as error:
        raise JobFailed(
            f"the file of model {model.model_id} cannot be read ({error.strerror}): check the model store"
        ) from error
    try:
        artifact = read_artifact(content, sha256=model.sha256)
        scorer = verify(artifact)
    except ArtifactInvalid as error:
        raise JobFailed(
            f"the file of model {model.model_id} cannot be used ({error.message}): train the model again"
        ) from error
    manifest = artifact.manifest
    target = manifest.target.to_target()
    return Opened(
        model=model,
        manifest=manifest,
        scorer=scorer,
        question=Question(
            spec=FeatureSpec(manifest.features),
            target=target,
            phases=manifest.phases,
            horizon_us=target.horizon if isinstance(target, TimeTarget) else 0,
        ),
        costs=Costs(
            fee_pct=_asked(model, "fee_pct"),
            slippage_pct=_asked(model, "slippage_pct"),
            trade_size_sol=_asked(model, "trade_size_sol"),
        ),
        random_state=_asked(model, "random_state"),
    )


def read_stretch(task: TestTask | CompareTask, opened: Sequence[Opened]) -> Stretch:
    """Read the rows of the window once, with the longest history and horizon and all columns that are asked for."""
    questions = [one.question for one in opened]
    loaded = load_range(
        task.dsn,
        start=task.test_start,
        end=task.test_end,
        horizon_minutes=max(question.horizon_us for question in questions) // MICROSECONDS_PER_MINUTE,
        history_rows=max(question.spec.history_needed() for question in questions) - 1,
        columns=tuple(
            dict.fromkeys(
                name for question in questions for name in (*question.spec.base_columns, question.target.target_var)
            )
        ),
        optional_columns=OPTIONAL_COLUMNS,
        max_rows=task.max_rows,
    )
    return Stretch(
        rows=loaded.rows,
        in_window=loaded.in_window,
        position=np.arange(len(loaded.rows)),
        last_seen=loaded.last_seen,
        clock_us=loaded.clock_us,
        untracked_phases=loaded.untracked_phases,
    )


def _asked(model: TestedModel, name: str) -> Any:
    return model.request.get(name, CreateModel.model_fields[name].default)
