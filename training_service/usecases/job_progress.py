"""Follow a job: what is new of it, look by look, until it is over."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.contracts.events import JobProgress
from shared.db import ConnectionLost, Pool, Record
from training_service.store import jobs

LOOK_SECONDS = 0.5
LONGEST_SECONDS = 3600.0
OVER = frozenset({"COMPLETED", "FAILED", "CANCELLED"})

_STATE = ("status", "progress", "progress_msg", "error_msg", "interim")

Log = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is new of a job."""

    mark: str
    """Names the last line of its log that was told."""
    progress: JobProgress
    is_last: bool
    """The job is over."""


async def follow(pool: Pool, job_id: int, *, after: str, stopping: asyncio.Event) -> AsyncGenerator[News]:
    """Give where the job is, at once and at every change, until it is over, `stopping` is set, or an hour has passed.

    Lines of the log come once: those behind the mark `after`, all of them where it names none that is kept.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    mark, told = after, None
    while not stopping.is_set() and time.monotonic() < deadline:
        try:
            row = await jobs.look(pool, job_id, seen=told and told["version"])
        except ConnectionLost:
            # A database that restarts is waited for: no connection is held between two looks.
            row = told
        else:
            if row is None:
                return
        if row is not None and (told is None or row["version"] != told["version"]):
            lines = lines_after(row["log"], mark)
            if told is None or lines or any(row[name] != told[name] for name in _STATE):
                mark = mark_of(row["log"])
                yield News(mark=mark, progress=_progress(row, told, lines), is_last=row["status"] in OVER)
            if row["status"] in OVER:
                return
            told = row
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)


def _progress(row: Record, told: Record | None, lines: Log) -> JobProgress:
    interim = row["interim"] if told is None or row["interim"] != told["interim"] else None
    return JobProgress.model_validate({**row, "lines": lines, "interim": interim})


def lines_after(log: Log, mark: str) -> Log:
    """Give the lines behind a mark, all of them where it names none.

    >>> log = [{"at": "1"}, {"at": "1", "message": "x"}, {"at": "2", "message": "y"}]
    >>> lines_after(log, mark_of(log[:2]))
    [{'at': '2', 'message': 'y'}]
    >>> len(lines_after(log, "no mark"))
    3

    """
    found = re.fullmatch(r"(?P<at>.+)/(?P<count>\d{1,6})", mark)
    if found is None:
        return log
    same = [index for index, line in enumerate(log) if line["at"] == found["at"]]
    # Of lines of one moment, the oldest may have left the tail since.
    return log[same[: int(found["count"])][-1] + 1 :] if same and int(found["count"]) else log


def mark_of(log: Log) -> str:
    """Name the last line: its moment, and which line of that moment it is."""
    if not log:
        return ""
    last = log[-1]["at"]
    return f"{last}/{sum(line['at'] == last for line in log)}"
