"""Wire models of the job queue and the catalogue of the training API."""

from datetime import datetime
from typing import Any

from pydantic import Field

from shared.contracts.results import Comparison, TestResult
from shared.contracts.training import Answer, JobStatus, JobType, JsonObject, Model, ModelKind, Operator, Warned


class Job(Answer):
    """Work asked for, and how far it is."""

    id: int
    job_type: JobType
    status: JobStatus
    priority: int
    progress: float
    progress_msg: str | None
    error_msg: str | None
    warnings: list[Warned]
    attempts: int
    lost_leases: int
    worker_id: str | None
    lease_expires_at: datetime | None
    model_name: str | None
    train_model_type: ModelKind | None
    train_target_var: str | None
    train_operator: Operator | None
    train_value: float | None
    train_start: datetime | None
    train_end: datetime | None
    train_features: list[str] | None
    train_phases: list[int] | None
    train_params: JsonObject | None
    train_future_minutes: int | None
    train_price_change_percent: float | None
    train_target_direction: str | None
    request: JsonObject
    request_id: str | None
    test_model_id: int | None
    test_start: datetime | None
    test_end: datetime | None
    run_key: str | None
    interim: JsonObject | None = Field(None, description="folds and trials, as they come; left out of lists")
    result_model_id: int | None
    result_test_id: int | None
    result_comparison_id: int | None
    result_model: Model | None = None
    result_test: TestResult | None = None
    result_comparison: Comparison | None = None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class JobList(Answer):
    """Jobs, newest first, and how many there are."""

    jobs: list[Job]
    total: int


class FeatureInfo(Answer):
    """A column or a family of engineered features."""

    name: str
    unit: str
    meaning: str
    family: str | None
    windows: list[int]


class FeatureCatalogue(Answer):
    """Everything a model can look at."""

    features: list[FeatureInfo]
    total: int


class Phase(Answer):
    """A stage in the life of a coin, as the tracker defines it."""

    id: int
    name: str
    interval_seconds: int
    min_age_minutes: int | None
    max_age_minutes: int | None


class PhaseList(Answer):
    """The stages the tracker knows."""

    phases: list[Phase]
    total: int


class ParameterInfo(Answer):
    """One hyper-parameter."""

    name: str
    default: Any
    allowed: str
    meaning: str


class ModelTypeInfo(Answer):
    """A kind of model."""

    name: ModelKind
    title: str
    description: str
    default_params: JsonObject
    parameters: list[ParameterInfo]


class ModelTypeList(Answer):
    """The kinds of models there are."""

    model_types: list[ModelTypeInfo]
    total: int


class DataAvailability(Answer):
    """What `coin_metrics` holds."""

    min_timestamp: datetime | None
    max_timestamp: datetime | None
    rows: int
    rows_counted: bool = Field(description="False where there are so many that they are estimated")
    coins: int
