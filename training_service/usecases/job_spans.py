"""An attempt at a job as a span, and below it the stages of the work."""

from contextlib import AbstractContextManager, ExitStack
from typing import Self

from shared.tracing import Span, span
from training_service.store.job_rows import ClaimedJob


def attempt_span(job: ClaimedJob) -> AbstractContextManager[Span]:
    """Give the span of an attempt, below that of the request which asked for the job."""
    return span(f"job {job.job_type}", kind="consumer", parent=job.traceparent, job_id=job.id, attempt=job.token)


class Stages:
    """The span of the present stage: it ends when the next one begins, or the work does."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()

    def at(self, message: str) -> None:
        """Take a step, whose message begins with the name of its stage."""
        name = message.partition(":")[0]
        if name != self._name:
            self._open.close()
            self._open.enter_context(span(name))
            self._name = name
