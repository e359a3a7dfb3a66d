"""Wire models of the training API: models and how to change them."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

ModelKind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["random_forest", "xgboost"])]
"""A name of /model-types."""
ModelStatus = Literal["TRAINING", "READY", "FAILED"]
JobStatus = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
JobType = Literal["TRAIN", "TEST", "COMPARE", "TUNE"]
Operator = Literal[">", "<", ">=", "<=", "="]
JsonObject = dict[str, Any]

# No control characters, no blank at either end.
_ONE_LINE = r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$"
_SURROGATE = re.compile("[\ud800-\udfff]")


def _one_line(value: str) -> str:
    if not re.fullmatch(_ONE_LINE, value) or _SURROGATE.search(value):
        raise ValueError("must be one line of printable characters that neither starts nor ends with a blank")
    return value


# A taken name gets a number behind it, and the column holds 200 characters.
ModelName = Annotated[
    str, AfterValidator(_one_line), Field(min_length=1, max_length=190, json_schema_extra={"pattern": _ONE_LINE})
]
Description = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


class Request(BaseModel):
    """A body that is refused when it holds anything unknown or of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=(), allow_inf_nan=False)


class Answer(BaseModel):
    """What a service says; a reader of another version skips what it does not know."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class Warned(Answer):
    """Something a user should know although the work goes on."""

    code: str
    message: str


class CreatedJob(Answer):
    """A job that was accepted."""

    job_id: int
    status: JobStatus
    message: str
    name: str = Field(
        description="Name the model will carry, a taken one with a number; or those of the models measured"
    )
    warnings: list[Warned]


class ChangeModel(Request):
    """What may be changed of a model; at least one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: ModelName | SkipJsonSchema[None] = None
    description: Description | None = None

    @model_validator(mode="after")
    def check_something(self) -> Self:
        """Refuse an empty change and a missing name."""
        if not self.model_fields_set:
            raise ValueError("needs name or description")
        if "name" in self.model_fields_set and self.name is None:
            raise ValueError("name cannot be null")
        return self


class Confusion(Answer):
    """Hold-out rows by answer and truth."""

    tp: int
    tn: int
    fp: int
    fn: int


class Model(Answer):
    """A trained model."""

    id: int
    name: str
    model_type: ModelKind
    status: ModelStatus
    is_deleted: bool
    description: str | None
    target_variable: str
    target_operator: Operator | None
    target_value: float | None
    future_minutes: int | None
    price_change_percent: float | None
    target_direction: Literal["up", "down"] | None
    label_mode: Literal["at_horizon", "within_horizon"] | None
    label_resolution: Literal["recording", "observed"] | None
    train_start: datetime
    train_end: datetime
    features: list[str]
    phases: list[int] | None
    params: JsonObject
    training_accuracy: float | None
    training_f1: float | None
    training_precision: float | None
    training_recall: float | None
    roc_auc: float | None
    mcc: float | None
    fpr: float | None
    fnr: float | None
    confusion_matrix: Confusion | None
    decision_threshold: float | None
    alert_threshold: float | None
    simulated_profit_pct: float | None
    expected_value_pct: float | None
    cv_scores: JsonObject | None
    cv_overfitting_gap: float | None
    feature_importance: dict[str, float] | None
    metrics: JsonObject | None = Field(None, description="Further figures of the hold-out; left out of lists")
    warnings: list[Warned]
    job_id: int | None
    model_file_path: str | None
    model_file_sha256: str | None
    run_key: str | None = Field(None, description="Hash of request, rows and code: equal ones give equal models")
    created_at: datetime


class ModelList(Answer):
    """Models, newest first, and how many there are."""

    models: list[Model]
    total: int
