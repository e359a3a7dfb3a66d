"""The process that does a job, seen from the worker: start it, hear its steps, end it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from pydantic import TypeAdapter

from shared.errors import PumpcastError
from training_service.usecases.task import CompareTask, Crashed, Keyed, Message, Result, Step, TestTask, TrainTask

_MESSAGE: TypeAdapter[Step | Keyed | Crashed | Result] = TypeAdapter(Message)
_LONGEST_LINE = 64 << 20
LEAVING_SECONDS = 5.0
COMMAND = (sys.executable, "-m", "training_service.child")


class FittingDied(PumpcastError):
    """The process ended without a result; another attempt may go better."""

    code = "fitting_died"


@dataclass(frozen=True, slots=True, kw_only=True)
class SameModel:
    """Equal work has given a model already."""

    model_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SameJob:
    """Another job is doing equal work now."""

    job_id: int


class Fitting:
    """One child process with one task."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, task: TrainTask | TestTask | CompareTask) -> Self:
        """Start the process and give it its task; its stdin stays open as a sign that we live."""
        try:
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                # Ctrl-C in a terminal is for the worker, which then decides.
                start_new_session=True,
            )
        except OSError as error:
            raise FittingDied(
                f"the fitting process cannot be started ({error.strerror}): see the worker's log"
            ) from error
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(task.model_dump_json().encode() + b"\n")
            await process.stdin.drain()
        return cls(process)

    @property
    def pid(self) -> int:
        """Give the process id."""
        return self._process.pid

    async def result(
        self, on_step: Callable[[Step], None], on_key: Callable[[Keyed], Awaitable[SameModel | SameJob | None]]
    ) -> Result | SameModel | SameJob:
        """Wait for the result; steps are told on the way. Without one the process died.

        When the key of the work is known, `on_key` gives what does or has done equal work, or None to go on.
        """
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        try:
            async for line in self._process.stdout:
                message = _MESSAGE.validate_json(line)
                if isinstance(message, Step):
                    on_step(message)
                elif isinstance(message, Keyed):
                    same = await on_key(message)
                    if same is not None:
                        return same
                    with contextlib.suppress(ConnectionError):
                        self._process.stdin.write(b"go on\n")
                        await self._process.stdin.drain()
                elif isinstance(message, Crashed):
                    raise FittingDied(message.error)
                else:
                    return message
        except ValueError as error:
            # No message, or one longer than any that we send.
            raise FittingDied("the fitting process said something that cannot be read") from error
        code = await self._process.wait()
        raise FittingDied(_cause(code))

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
    if code == -signal.SIGKILL:
        return (
            "the fitting process was killed (signal 9), mostly for want of memory: take fewer rows or features, or set "
            "MAX_CONCURRENT_JOBS lower, then retry the job"
        )
    cause = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"the fitting process died ({cause}): the worker's log may say why; then retry the job"
