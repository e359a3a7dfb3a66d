"""What passes between the worker and the process that fits: a task in, the trained model out."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.model_request import CreateModel

Warnings = tuple[dict[str, str], ...]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), ser_json_inf_nan="null")


class TrainTask(_Message):
    """One attempt at one job."""

    job_id: int
    model_id: int
    name: str
    request: dict[str, Any]
    features: tuple[str, ...]
    params: dict[str, Any]
    dsn: str
    path: Path
    """Where the model file goes."""
    signing_key: str
    max_rows: int

    def asked(self) -> CreateModel:
        """Give the request as it was accepted."""
        return CreateModel.model_validate(self.request)


class Step(_Message):
    """How far the work is."""

    kind: Literal["step"] = "step"
    progress: float
    message: str


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
    warnings: Warnings


Message = Annotated[Step | Failed | Crashed | Trained, Field(discriminator="kind")]
