"""The hold on a running job: renewed while the work goes on, telling its steps, and given up when it is lost."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from shared.db import ConnectionLost, Pool, PostgresError
from training_service.store import jobs
from training_service.store.job_rows import ClaimedJob, Ending, Line
from training_service.usecases.job_warnings import join_warnings
from training_service.usecases.task import Step

log = structlog.get_logger(__name__)

RENEW_SECONDS = 10.0
WATCH_SECONDS = 1.0
TROUBLE = (*ConnectionLost, PostgresError)


@dataclass(slots=True)
class Lease:
    """What is to be told of a job, and when it was last held for sure."""

    job: ClaimedJob
    step: Step = field(default_factory=lambda: Step(progress=0, message="started"))
    lines: list[Line] = field(default_factory=list)
    """Steps that the database does not know yet."""
    interim: dict[str, Any] = field(default_factory=dict)
    """Folds and trials, all of them, and the key of the work that they belong to."""
    has_news: bool = False
    """Interim has grown since it was last told."""
    renewed: float = field(default_factory=time.monotonic)
    telling: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever tells the database of the job."""

    def note(self, step: Step) -> None:
        """Take a step of the work."""
        self.step = step
        self.lines.append(Line(at=datetime.now(UTC), message=step.message))
        for name, part in (("folds", step.fold), ("trials", step.trial)):
            if part is not None:
                self.interim.setdefault(name, []).append(part)
                self.has_news = True

    def know(self, run_key: str) -> None:
        """Take the key of the work; trials of an earlier attempt at other work are of no use to it."""
        if (dropped := self.interim.get("trials")) and self.interim.get("run_key") != run_key:
            del self.interim["trials"]
            message = f"the {len(dropped)} trials done before are of other rows or code: the search begins anew"
            self.note(Step(progress=self.step.progress, message=message))
            self.has_news = True
        if self.job.job_type == "TUNE":
            self.interim["run_key"] = run_key

    def ending(self, message: str, *, warnings: Iterable[dict[str, str]], **result: int) -> Ending:
        """Give the end of the job, with everything that was not told yet."""
        return Ending(
            message=message,
            warnings=join_warnings(self.job.warnings, warnings),
            lines=[*self.lines],
            interim=self.interim or None,
            **result,
        )

    @property
    def expired(self) -> bool:
        """Tell whether another worker may have the job by now."""
        return time.monotonic() - self.renewed > jobs.LEASE_SECONDS

    async def keep(self, pool: Pool) -> None:
        """Return when the job is not ours any more: cancelled, taken, or not renewed for too long."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                async with self.telling, asyncio.timeout(RENEW_SECONDS):
                    held = await self._look(pool)
            except TROUBLE as error:
                log.warning("lease cannot be renewed", error=type(error).__name__)
                if self.expired:
                    return
                continue
            if not held:
                return

    async def _look(self, pool: Pool) -> bool:
        if not self.lines and not self.has_news and time.monotonic() - self.renewed <= RENEW_SECONDS:
            return await jobs.is_held(pool, job_id=self.job.id, token=self.job.token)
        at, lines, has_news = time.monotonic(), [*self.lines], self.has_news
        self.has_news = False
        try:
            held = await jobs.renew(
                pool,
                self.job,
                progress=self.step.progress,
                message=self.step.message,
                lines=lines,
                interim=self.interim if has_news else None,
            )
        except BaseException:
            self.has_news = self.has_news or has_news
            raise
        del self.lines[: len(lines)]
        self.renewed = at
        return held
