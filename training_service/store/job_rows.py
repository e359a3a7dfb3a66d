"""Rows of the table ml_jobs as they are written and claimed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job that makes a model, to be written."""

    job_type: Literal["TRAIN", "TUNE"]
    priority: int
    model_name: str
    model_type: str
    target_variable: str
    target_operator: str | None
    target_value: float | None
    train_start: datetime
    train_end: datetime
    features: Sequence[str]
    """Names resolved, in their order."""
    phases: Sequence[int] | None
    params: dict[str, Any]
    """Complete hyper-parameters."""
    future_minutes: int | None
    price_change_percent: float | None
    target_direction: str | None
    warnings: Sequence[dict[str, str]]
    request: dict[str, Any]
    """The body as it was accepted."""
    request_id: str | None
    traceparent: str | None = None
    """The span that asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTest:
    """A job that measures models, to be written."""

    job_type: Literal["TEST", "COMPARE"]
    priority: int
    model_id: int | None
    """None where several are compared: the request names them."""
    test_start: datetime
    test_end: datetime
    warnings: Sequence[dict[str, str]]
    request: dict[str, Any]
    """The body as it was accepted."""
    request_id: str | None
    traceparent: str | None = None
    """The span that asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedJob:
    """A job this worker holds; every write must carry the token."""

    id: int
    token: int
    job_type: Literal["TRAIN", "TUNE", "TEST", "COMPARE"]
    model_name: str
    """Empty where no model is made."""
    features: tuple[str, ...]
    params: dict[str, Any]
    request: dict[str, Any]
    test_model_id: int | None
    test_start: datetime | None
    test_end: datetime | None
    warnings: tuple[dict[str, str], ...]
    interim: dict[str, Any]
    """What an earlier attempt told."""
    request_id: str | None
    """Of the request that asked for it."""
    traceparent: str | None
    """The span that did."""
    waited_seconds: float | None
    """How long it waited; None at further attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something that a worker tells of a job."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a job ends with."""

    message: str
    warnings: Sequence[dict[str, str]]
    model_id: int | None = None
    test_id: int | None = None
    comparison_id: int | None = None
    lines: Sequence[Line] = ()
    """Steps that were not told yet."""
    interim: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How the queue is."""

    oldest_seconds: float
    """How long the first job that could be claimed waits; 0 without any."""
    overdue: int
    """Running jobs whose lease is over."""
