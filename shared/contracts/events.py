"""Wire models of what a job tells on its way: its log, and the events that follow it."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.contracts.training import Answer, JobStatus, JsonObject


class LogLine(Answer):
    """One thing that happened to a job."""

    at: datetime
    level: Literal["info", "warning", "error"]
    message: str


class JobLog(Answer):
    """What happened to a job, newest last."""

    job_id: int
    status: JobStatus
    lines: list[LogLine]
    total: int = Field(description="Lines there are; of a long job the newest 500 are kept")


class JobProgress(Answer):
    """The data of an event `progress`: where a job is, and what happened since the event before."""

    id: int
    status: JobStatus
    progress: float
    progress_msg: str | None
    error_msg: str | None
    lines: list[LogLine] = Field(description="Lines of the log that no event before has told")
    interim: JsonObject | None = Field(description="All folds and trials so far; null: as told before")
