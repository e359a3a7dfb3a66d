"""What passes between the worker and the process that fits: a task in, its steps and its result out."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.model_request import CreateModel, TuneModel

Warnings = tuple[dict[str, str], ...]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), ser_json_inf_nan="null")


class _Task(_Message):
    """One attempt at a job."""

    job_id: int
    log_fields: dict[str, str] = {}
    """What every log line of the attempt carries beside the job."""


class TrainTask(_Task):
    """One attempt at a model."""

    kind: Literal["train"] = "train"
    model_id: int
    name: str
    request: dict[str, Any]
    features: tuple[str, ...]
    params: dict[str, Any]
    is_tuned: bool = False
    """Hyper-parameters are searched for before the fit."""
    trials: tuple[dict[str, Any], ...] = ()
    """Trials that earlier attempts have finished."""
    trials_key: str | None = None
    """The key of the work that they belong to."""
    dsn: str
    path: Path
    """Where the model file goes."""
    signing_key: str
    max_rows: int

    def asked(self) -> CreateModel:
        """Give the request as it was accepted."""
        return (TuneModel if self.is_tuned else CreateModel).model_validate(self.request)

    def trials_of(self, run_key: str) -> tuple[dict[str, Any], ...]:
        """Give the trials done before, none where they are of other rows, another request or other code."""
        return self.trials if self.trials_key == run_key else ()


class TestedModel(_Message):
    """A model to be measured on other rows."""

    model_id: int
    name: str
    path: Path
    sha256: str
    train_start: datetime
    train_end: datetime
    train_accuracy: float | None
    train_f1: float | None
    train_precision: float | None
    train_recall: float | None
    request: dict[str, Any]
    """What it was asked for with, empty where that is not known any more: costs of a trade are taken from it."""


class TestTask(_Task):
    """One attempt at measuring one model on a window."""

    kind: Literal["test"] = "test"
    dsn: str
    max_rows: int
    model: TestedModel
    test_start: datetime
    test_end: datetime


class CompareTask(_Task):
    """One attempt at measuring several models on the same rows."""

    kind: Literal["compare"] = "compare"
    dsn: str
    max_rows: int
    models: tuple[TestedModel, ...]
    test_start: datetime
    test_end: datetime


Task = Annotated[TrainTask | TestTask | CompareTask, Field(discriminator="kind")]


class Step(_Message):
    """How far the work is."""

    kind: Literal["step"] = "step"
    progress: float
    message: str
    fold: dict[str, Any] | None = None
    """Scores of a fold of the cross-validation that was just finished."""
    trial: dict[str, Any] | None = None
    """A trial of the search that was just finished."""


class Keyed(_Message):
    """The rows are read, and this hash names the work; the process waits to hear that it is to go on."""

    kind: Literal["keyed"] = "keyed"
    run_key: str


class Failed(_Message):
    """The job cannot succeed, and why."""

    kind: Literal["failed"] = "failed"
    error: str


class Crashed(_Message):
    """The attempt failed for a reason that may pass."""

    kind: Literal["crashed"] = "crashed"
    error: str


class Trained(_Message):
    """A model file that was written and proved, and the columns of its row."""

    kind: Literal["trained"] = "trained"
    sha256: str
    features: tuple[str, ...]
    params: dict[str, Any]
    training_accuracy: float | None
    training_f1: float | None
    training_precision: float | None
    training_recall: float | None
    roc_auc: float | None
    mcc: float | None
    fpr: float | None
    fnr: float | None
    confusion_matrix: dict[str, int]
    decision_threshold: float
    alert_threshold: float
    simulated_profit_pct: float
    expected_value_pct: float | None
    cv_scores: dict[str, Any] | None
    cv_overfitting_gap: float | None
    feature_importance: dict[str, float]
    metrics: dict[str, Any]
    card: dict[str, Any]
    run_key: str
    warnings: Warnings


class Tested(_Message):
    """A model measured on a window: the columns of a test result."""

    kind: Literal["tested"] = "tested"
    model_id: int
    test_start: datetime
    test_end: datetime
    accuracy: float | None
    f1_score: float | None
    precision_score: float | None
    recall: float | None
    roc_auc: float | None
    mcc: float | None
    fpr: float | None
    fnr: float | None
    simulated_profit_pct: float
    expected_value_pct: float | None
    confusion_matrix: dict[str, int]
    tp: int
    tn: int
    fp: int
    fn: int
    num_samples: int
    num_positive: int
    num_negative: int
    has_overlap: bool
    overlap_note: str | None
    train_accuracy: float | None
    train_f1: float | None
    train_precision: float | None
    train_recall: float | None
    accuracy_degradation: float | None
    f1_degradation: float | None
    is_overfitted: bool | None
    test_duration_days: float
    metrics: dict[str, Any]
    warnings: Warnings


class Compared(_Message):
    """Several models measured on the same rows."""

    kind: Literal["compared"] = "compared"
    tests: tuple[Tested, ...]
    """Each model on all of its own rows of the window."""
    winner_id: int | None
    """None: no model is proved better than every other."""
    results: dict[str, Any]
    """Figures on the rows all models share, paired differences with intervals, and the rule."""
    warnings: Warnings


Result = Failed | Trained | Tested | Compared
Message = Annotated[Step | Keyed | Failed | Crashed | Trained | Tested | Compared, Field(discriminator="kind")]
