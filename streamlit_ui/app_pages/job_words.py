"""What a job is called, how it does, and how long it took."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from shared.contracts.jobs import Job
from shared.contracts.training import JobStatus
from streamlit_ui.client.jobs import list_jobs
from streamlit_ui.client.models import get_model
from streamlit_ui.client.transport import Refused, Service
from streamlit_ui.session import t
from streamlit_ui.states import Level

OVER: Final = ("COMPLETED", "FAILED", "CANCELLED")
LEVELS: Final[dict[JobStatus, Level]] = {
    "PENDING": "off", "RUNNING": "busy", "COMPLETED": "good", "FAILED": "bad", "CANCELLED": "warning",
}  # fmt: skip
SIGNS: Final[dict[JobStatus, str]] = {
    "PENDING": "…", "RUNNING": "▸", "COMPLETED": "✓", "FAILED": "✗", "CANCELLED": "■",
}  # fmt: skip
ASKED_FOR_MODEL: Final = ("TRAIN", "TUNE")
_NAMES: Final = "job_model_names"
_LEAST_PROGRESS: Final = 0.03
_MOST_WAITING: Final = 200
FRESH_SECONDS: Final = 60.0
"""As long as a model is taken to have the name it had."""


def title(job: Job, names: dict[int, str]) -> str:
    """Give what a job is about."""
    if job.model_name:
        return job.model_name
    found = [names.get(one, t("jobs.model", id=one)) for one in model_ids(job)]
    if job.job_type == "TEST" and found:
        return t("jobs.title_test", name=found[0])
    if found:
        return t("jobs.title_compare", names=t("jobs.versus").join(found))
    return t("jobs.job", id=job.id)


def model_ids(job: Job) -> list[int]:
    """Give the models that a job measures."""
    if job.test_model_id is not None:
        return [job.test_model_id]
    given = job.request.get("model_ids")
    return [one for one in given if isinstance(one, int)] if isinstance(given, list) else []


def model_names(training: Service, shown: Iterable[Job]) -> dict[int, str]:
    """Give the names of the models that some jobs measure; each is asked for once in a while."""
    names: dict[int, str | None]
    names, since = st.session_state.get(_NAMES, ({}, -FRESH_SECONDS))
    if time.monotonic() - since >= FRESH_SECONDS:
        names = {}
        st.session_state[_NAMES] = (names, time.monotonic())
    for model_id in {each for one in shown for each in model_ids(one)} - set(names):
        try:
            names[model_id] = get_model(training, model_id).name
        except Refused:
            names[model_id] = None
    return {model_id: name for model_id, name in names.items() if name is not None}


def elapsed(job: Job) -> float | None:
    """Give how long a job has run, in seconds."""
    if job.started_at is None:
        return None
    return ((job.completed_at or datetime.now(UTC)) - job.started_at).total_seconds()


def remaining(job: Job) -> float | None:
    """Give about how long a job will run still; None where that cannot be said yet."""
    passed = elapsed(job)
    if job.status != "RUNNING" or passed is None or job.progress < _LEAST_PROGRESS:
        return None
    return max(1.0, passed * (1 - job.progress) / job.progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The jobs that wait."""

    places: dict[int, int]
    """From 1, by the job's id; none where more wait than can be looked at."""
    total: int


def queue(training: Service) -> Queue:
    """Give who waits, and where."""
    waiting = list_jobs(training, status="PENDING", limit=_MOST_WAITING)
    return Queue(places=positions(waiting.jobs) if waiting.total <= len(waiting.jobs) else {}, total=waiting.total)


def positions(waiting: Iterable[Job]) -> dict[int, int]:
    """Give the place of each waiting job in the queue, from 1: those of higher priority go first."""
    ordered = sorted(waiting, key=lambda one: (-one.priority, one.id))
    return {one.id: place for place, one in enumerate(ordered, 1)}
