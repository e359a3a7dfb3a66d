"""A LISTEN connection of its own that only says "look again"."""

import asyncio
import contextlib
import time
from types import TracebackType
from typing import Any, Self

import structlog

from shared.db import Connection, ConnectionLost, PostgresError, connect

log = structlog.get_logger(__name__)

PROOF_SECONDS = 5.0
PROOF_TIMEOUT_SECONDS = 3.0
RECONNECT_SECONDS = 1.0


class Wakeup:
    """Wait for a notification on a channel, or for time to pass; the caller does the same in both cases.

    The connection proves itself alive every few seconds, since a half-open one is noticed by nothing else, and is
    opened again when it fails. After each reconnect the waiter is woken: what was said in between is lost.
    """

    def __init__(self, dsn: str, channel: str) -> None:
        self._dsn = dsn
        self._channel = channel
        self._event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.listening = False
        """True while notifications arrive; False means that only polling works."""
        self.reconnects = 0
        """How often the connection was opened again."""
        self.notified_at: float | None = None
        """Monotonic time of the first notification that was not taken by `take_notified`."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen(), name=f"listen {self._channel}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def poke(self) -> None:
        """Wake the waiter from inside this process."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> bool:
        """Give True as soon as there was a notification since the last call, False when the time is over."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True

    def take_notified(self) -> float | None:
        """Give the monotonic time of the first notification since the last call; None: there was none."""
        first, self.notified_at = self.notified_at, None
        return first

    def _notified(self, *_arguments: Any) -> None:
        if self.notified_at is None:
            self.notified_at = time.monotonic()
        self._event.set()

    async def _listen(self) -> None:
        first = True
        while True:
            try:
                await self._hold_connection(first=first)
            except (*ConnectionLost, PostgresError) as error:
                log.warning("listener connection lost", channel=self._channel, error=type(error).__name__)
            first = False
            self.listening = False
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _hold_connection(self, *, first: bool) -> None:
        connection = await connect(self._dsn, application=f"pumpcast listen {self._channel}")
        try:
            await connection.add_listener(self._channel, self._notified)
            if not first:
                self.reconnects += 1
                log.info("listener connected again", channel=self._channel)
            self.listening = True
            self._event.set()
            await self._prove_alive(connection)
        finally:
            connection.terminate()

    async def _prove_alive(self, connection: Connection) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        while True:
            try:
                async with asyncio.timeout(PROOF_SECONDS):
                    await lost.wait()
                raise ConnectionError("terminated")
            except TimeoutError:
                await connection.fetchval("SELECT 1", timeout=PROOF_TIMEOUT_SECONDS)
