"""What a soak does to its stack: processes killed, told to stop and frozen, sessions ended, the server restarted."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import psutil
import psycopg

from pumpcast.supervision import STOP_SECONDS
from tests.support.soak_stack import APIS, PREDICTION_WORKERS, TRAINING_WORKERS, Stack

# The third death of its process ends a job, rightly so: each is let die less often.
MOST_DEATHS_OF_A_JOB: Final = 2
SHORT_FREEZE_SECONDS: Final = (1.0, 4.0)
DATABASE: Final = "database"
_OURS: Final = "datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'soak'"
END_SESSIONS: Final = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {_OURS}"
END_LISTENERS: Final = f"{END_SESSIONS} AND application_name LIKE 'pumpcast listen%'"
LINGER_SECONDS: Final = 1.0
"""How long after everything is ready again a request may still be slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that was done."""

    kind: str
    target: str
    began: float
    """Monotonic seconds, as the next two."""
    released: float
    """When the fault itself was over: at once, or when a frozen process was let go on."""
    recovered: float

    @property
    def hurts(self) -> frozenset[str]:
        """Give the APIs whose answers may fail by it."""
        if self.target == DATABASE:
            return frozenset(APIS)
        return frozenset({self.target} & set(APIS))

    @property
    def slows(self) -> bool:
        """Tell whether answers may take longer: a process that stands still takes nothing from the APIs."""
        return bool(self.hurts) or not self.kind.startswith("freeze")

    def covers(self, began: float, ended: float) -> bool:
        """Tell whether a request fell into it."""
        return began <= self.recovered + LINGER_SECONDS and ended >= self.began


@dataclass(slots=True, kw_only=True)
class Stopped:
    """A program that was told to stop."""

    name: str
    seconds: float
    exit_code: int | None


@dataclass(slots=True)
class Killer:
    """Hurts one thing at a time and waits until everything is well again."""

    stack: Stack
    dice: random.Random
    longest_freeze_seconds: float
    faults: list[Fault] = field(default_factory=list)
    stopped: list[Stopped] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _deaths: Counter[int] = field(default_factory=Counter)

    async def hurt_each(self, kinds: Sequence[str]) -> None:
        """Do these things, one after the other."""
        for kind in kinds:
            await asyncio.to_thread(self.hurt, kind)

    async def hurt_until(self, over: asyncio.Event, *, peace_seconds: tuple[float, float]) -> None:
        """Hurt things, with times of peace between them."""
        deck: list[str] = []
        while not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), self.dice.uniform(*peace_seconds))
                return
            # Each kind comes up before any comes again.
            deck = deck or self.dice.sample(list(self._kinds()), len(self._kinds()))
            await asyncio.to_thread(self.hurt, deck.pop())

    async def roll(self) -> None:
        """Restart every program, one after the other, as an upgrade does."""
        await self.hurt_each([f"restart {name}" for name in self.stack.names])

    def hurt(self, kind: str) -> None:
        """Do one thing and wait for the recovery from it."""
        began, since = time.monotonic(), time.time()
        action, _, target = kind.partition(" ")
        released: float | None
        try:
            if kind in self._on_database():
                self._on_database()[kind]()
                target, released = DATABASE, time.monotonic()
            else:
                released = self._on_process(action, target)
        except (psutil.Error, ProcessLookupError, psycopg.Error):
            return
        if released is None:
            return
        if not self.stack.until_ready(since=since):
            self.troubles.append(f"{kind}: not everything was ready again after that")
        self.faults.append(Fault(kind=kind, target=target, began=began, released=released, recovered=time.monotonic()))

    def _kinds(self) -> list[str]:
        programs = [f"{action} {name}" for name in self.stack.names for action in ("kill", "restart", "freeze")]
        children = [
            f"{action} child of {name}"
            for name in TRAINING_WORKERS
            for action in ("kill", "freeze")
            if name in self.stack.names
        ]
        return [*programs, *children, *self._on_database()]

    def _on_database(self) -> dict[str, Callable[[], None]]:
        return {
            "end all sessions": lambda: self._execute(END_SESSIONS),
            "cut the listeners": lambda: self._execute(END_LISTENERS),
            "restart the database": lambda: self.stack.restart_database(signal.SIGINT),
            "crash the database": lambda: self.stack.restart_database(signal.SIGQUIT),
        }

    def _on_process(self, action: str, target: str) -> float | None:
        name = target.removeprefix("child of ")
        process = self.stack.process(name)
        if process is None:
            return None
        if target != name:
            return self._on_child(action, process)
        match action:
            case "kill":
                process.kill()
                process.wait(10)
            case "restart":
                self._stop(name, process)
            case _:
                longest = self.longest_freeze_seconds if name in (*TRAINING_WORKERS, *PREDICTION_WORKERS) else 0
                self._freeze(process, max(longest, SHORT_FREEZE_SECONDS[1]))
        return time.monotonic()

    def _stop(self, name: str, process: psutil.Process) -> None:
        began = time.monotonic()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            self.troubles.append(f"{name} did not end within {STOP_SECONDS} s of SIGTERM")
            process.kill()
            process.wait(10)
        seconds = time.monotonic() - began
        while (state := self.stack.state(name)) is None or state.pid == process.pid:
            time.sleep(0.02)
        self.stopped.append(Stopped(name=name, seconds=seconds, exit_code=state.exit_code))

    def _on_child(self, action: str, worker: psutil.Process) -> float | None:
        children = worker.children()
        if not children:
            return None
        if action == "freeze":
            self._freeze(children[0], SHORT_FREEZE_SECONDS[1])
            return time.monotonic()
        # It stands still while we look whose it is.
        children[0].suspend()
        try:
            with psycopg.connect(self.stack.dsn, autocommit=True, application_name="soak") as connection:
                query = "SELECT id FROM ml_jobs WHERE status = 'RUNNING' AND worker_id LIKE %s"
                jobs = [row[0] for row in connection.execute(query, (f"%:{worker.pid}%",))]
            if not jobs or any(self._deaths[job] >= MOST_DEATHS_OF_A_JOB for job in jobs):
                return None
            self._deaths.update(jobs)
            os.kill(children[0].pid, signal.SIGKILL)
        finally:
            with suppress(psutil.Error):
                children[0].resume()
        return time.monotonic()

    def _freeze(self, process: psutil.Process, longest: float) -> None:
        process.suspend()
        try:
            time.sleep(self.dice.uniform(SHORT_FREEZE_SECONDS[0], longest))
        finally:
            with suppress(psutil.Error):
                process.resume()

    def _execute(self, query: str) -> None:
        with psycopg.connect(self.stack.dsn, autocommit=True, application_name="soak") as connection:
            connection.execute(query)
