"""The process that fits, seen from the worker: start it, hear its steps, end it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Self

from pydantic import TypeAdapter

from shared.errors import PumpcastError
from training_service.usecases.task import Crashed, Failed, Message, Step, Trained, TrainTask

_MESSAGE: TypeAdapter[Step | Failed | Crashed | Trained] = TypeAdapter(Message)
_LONGEST_LINE = 64 << 20
LEAVING_SECONDS = 5.0


class FittingDied(PumpcastError):
    """The process ended without a result; another attempt may go better."""

    code = "fitting_died"


class Fitting:
    """One child process with one task."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, task: TrainTask) -> Self:
        """Start the process and give it its task; its stdin stays open as a sign that we live."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "training_service.child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                # Ctrl-C in a terminal is for the worker, which then decides.
                start_new_session=True,
            )
        except OSError as error:
            raise FittingDied(f"the fitting process cannot be started ({error.strerror})") from error
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(task.model_dump_json().encode() + b"\n")
            await process.stdin.drain()
        return cls(process)

    @property
    def pid(self) -> int:
        """Give the process id."""
        return self._process.pid

    async def result(self, on_step: Callable[[Step], None]) -> Failed | Trained:
        """Wait for the result; steps are told on the way. Without one the process died."""
        assert self._process.stdout is not None
        try:
            async for line in self._process.stdout:
                message = _MESSAGE.validate_json(line)
                if isinstance(message, Step):
                    on_step(message)
                elif isinstance(message, Crashed):
                    raise FittingDied(message.error)
                else:
                    return message
        except ValueError as error:
            # No message, or one longer than any that we send.
            raise FittingDied("the fitting process said something that cannot be read") from error
        code = await self._process.wait()
        raise FittingDied(f"the fitting process died ({_cause(code)})")

    async def leave(self) -> None:
        """Give a process that has told its result time to end by itself."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), LEAVING_SECONDS)

    async def end(self) -> None:
        """Make sure that the process is gone."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
