"""Memory of the processes of a soak over time."""

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import psutil

from tests.support.soak_client import pause
from tests.support.soak_stack import Stack

EVERY_SECONDS: Final = 2.0
WARM_SECONDS: Final = 60.0
"""What a process takes in its first time is what it needs; from then on it is growth."""
MOST_GROWTH_MB: Final = 100.0
MOST_MB: Final = 700.0
_MB: Final = 2**20


@dataclass(slots=True)
class Memory:
    """Looks at every process again and again."""

    stack: Stack
    _seen: dict[str, dict[int, list[tuple[float, float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    """Program → process → moments and megabytes."""

    async def watch(self, over: asyncio.Event) -> None:
        """Look until it is over."""
        while not over.is_set():
            await asyncio.to_thread(self._look)
            await pause(over, EVERY_SECONDS)

    def _look(self) -> None:
        for state in self.stack.states():
            with suppress(psutil.Error):
                if state.pid:
                    megabytes = psutil.Process(state.pid).memory_info().rss / _MB
                    self._seen[state.name][state.pid].append((time.monotonic(), megabytes))

    def figures(self) -> dict[str, dict[str, float]]:
        """Give the memory of each program after its start, the highest, and how much a process grew when warm."""
        found: dict[str, dict[str, float]] = {}
        for name in self.stack.names:
            lives = [life for life in self._seen[name].values() if life]
            if lives:
                found[name] = {
                    "first": round(lives[0][0][1]),
                    "highest": round(max(megabytes for life in lives for _, megabytes in life)),
                    "growth": round(max(map(_growth, lives))),
                }
        return found

    def faults(self) -> list[str]:
        """Give the programs that took too much."""
        return [
            f"{name} takes {one['highest']} MB, {one['growth']} MB more than when it was warm"
            for name, one in self.figures().items()
            if one["highest"] > MOST_MB or one["growth"] > MOST_GROWTH_MB
        ]


def _growth(life: list[tuple[float, float]]) -> float:
    warm = [megabytes for at, megabytes in life if at - life[0][0] > WARM_SECONDS]
    return warm[-1] - warm[0] if warm else 0.0
