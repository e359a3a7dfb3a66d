"""The process that works on packages, seen from the worker: started when there is work, watched, ended."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence

import structlog

from prediction_service.runtime import metrics
from prediction_service.settings import PredictionSettings
from prediction_service.store import package_work, packages
from prediction_service.store.packages import CHANNEL
from prediction_service.usecases.package_work import Finder, woken
from shared.db import ConnectionLost, Pool, PostgresError
from shared.wakeup import Wakeup

log = structlog.get_logger(__name__)

COMMAND = (sys.executable, "-m", "prediction_service.child")
LEAVING_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
FAILURES_TOLD = 2
"""After so many in a row the packages that wait say so."""
STEADY_SECONDS = 60.0
"""One that lived for so long had a fault of its own, not one that every start meets."""


async def keep_child(pool: Pool, dsn: str, settings: PredictionSettings, stop: asyncio.Event) -> None:
    """Have a process work on packages whenever there is work, until `stop`."""
    keeper = _Keeper(pool, dsn, settings)
    try:
        async with Wakeup(dsn, CHANNEL) as changes:
            notified = True
            while not stop.is_set():
                await keeper.look(notified=notified)
                notified = await woken(changes, stop)
    finally:
        await keeper.end()


class _Keeper:
    def __init__(self, pool: Pool, dsn: str, settings: PredictionSettings) -> None:
        self._pool = pool
        self._dsn = dsn
        self._settings = settings
        self._finder = Finder(pool)
        self._process: asyncio.subprocess.Process | None = None
        self._started = 0.0
        self._pause = 0.0
        self._failures = 0
        self._not_before = 0.0

    async def look(self, *, notified: bool) -> None:
        """Start the process if there is work and none does it."""
        try:
            await self._look(notified=notified)
        except (*ConnectionLost, PostgresError) as error:
            log.warning("work on packages cannot be looked for", error=type(error).__name__)
        except Exception:
            # Nothing about packages may end the process that predicts.
            log.exception("work on packages cannot be looked for")

    async def _look(self, *, notified: bool) -> None:
        if self._process is not None:
            if self._process.returncode is None:
                return
            self._note_end(self._process.returncode)
        if time.monotonic() < self._not_before:
            return
        work = await self._finder.find(notified=notified)
        if (work or self._settings.candle_feeds) and not await package_work.is_taken(self._pool):
            if self._failures >= FAILURES_TOLD:
                await self._tell((*work.check, *work.warm))
            await self._start()

    async def _tell(self, package_ids: Sequence[str]) -> None:
        words = (
            f"the process that checks and warms up packages has ended with an error {self._failures} times in a row; "
            "it is started again, and the log of prediction-worker says more"
        )
        await packages.tell_stuck(self._pool, package_ids, words)

    async def _start(self) -> None:
        self._started = time.monotonic()
        settings = self._settings.model_copy(update={"db_dsn": self._dsn})
        try:
            self._process = await asyncio.create_subprocess_exec(
                *COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                # Ctrl-C in a terminal is for the worker, which then ends it.
                start_new_session=True,
            )
        except OSError as error:
            log.warning("process of packages cannot be started", error=error.strerror)
            self._back_off()
            return
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            # It stays open as a sign that we live.
            self._process.stdin.write(settings.model_dump_json().encode() + b"\n")
            await self._process.stdin.drain()
        log.info("process of packages started", child=self._process.pid)

    def _note_end(self, code: int) -> None:
        lived = time.monotonic() - self._started
        self._process = None
        if code == 0:
            self._pause, self._failures = 0.0, 0
            return
        self._failures += 1
        metrics.PACKAGE_CHILD_FAILURES.inc()
        log.warning("process of packages ended", code=code, seconds=round(lived, 1))
        if lived >= STEADY_SECONDS:
            self._pause, self._failures = 0.0, 1
        self._back_off()

    def _back_off(self) -> None:
        self._pause = min(max(self._pause * 2, 1.0), LONGEST_PAUSE_SECONDS)
        self._not_before = time.monotonic() + self._pause

    async def end(self) -> None:
        """Make sure that the process is gone."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), LEAVING_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
