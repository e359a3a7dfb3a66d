"""A look at the rows of a request, one at a time, beside the event loop."""

import asyncio
import time

from shared.contracts.model_request import CreateModel
from shared.contracts.preflight import PreflightReport
from shared.db import Pool
from shared.errors import Unavailable
from training_service.usecases.inspection import inspect
from training_service.usecases.resolve import Resolved, resolve_request

PATIENCE_SECONDS = 60.0
"""Longest time for a report: up to half of it waiting for the turn, the rest for all statements together."""
CREATE_SECONDS = 10.0
"""Longest time that the acceptance of a job waits for its report."""


class Preflight:
    """The place where requests are looked at; the next one waits until a look is over."""

    def __init__(self, dsn: str, *, max_rows: int) -> None:
        self._dsn = dsn
        self._max_rows = max_rows
        self._turn = asyncio.Lock()
        self._looks: set[asyncio.Task[PreflightReport]] = set()

    async def report(self, pool: Pool, asked: CreateModel) -> PreflightReport:
        """Report on a request; `Unavailable` when the queue or the table does not give way in time."""
        return await self.inspect(await resolve_request(pool, asked), patience_seconds=PATIENCE_SECONDS)

    async def inspect(self, request: Resolved, *, patience_seconds: float) -> PreflightReport:
        """Report on a resolved request."""
        started, turn_seconds = time.monotonic(), patience_seconds / 2
        try:
            async with asyncio.timeout(turn_seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable(
                f"other requests have been looked at for {turn_seconds:g} s: try again later, or create the job"
            ) from None
        look = asyncio.create_task(self._look(request, patience_seconds - (time.monotonic() - started)))
        self._looks.add(look)
        look.add_done_callback(self._done)
        # A caller that goes away does not end the thread; the next look has to wait for it either way.
        return await asyncio.shield(look)

    async def end(self) -> None:
        """Wait for the look that is under way."""
        await asyncio.gather(*self._looks, return_exceptions=True)

    async def _look(self, request: Resolved, patience_seconds: float) -> PreflightReport:
        from adbc_driver_manager import Error

        try:
            return await asyncio.to_thread(
                inspect, request, dsn=self._dsn, max_rows=self._max_rows, patience_seconds=patience_seconds
            )
        except Error as error:
            raise Unavailable(
                f"coin_metrics cannot be read ({error.sqlstate or type(error).__name__}): check that the database "
                "runs and that its user may read the table"
            ) from error
        finally:
            self._turn.release()

    def _done(self, look: "asyncio.Task[PreflightReport]") -> None:
        self._looks.discard(look)
        if not look.cancelled():
            # Nobody may be left to hear of it.
            look.exception()
