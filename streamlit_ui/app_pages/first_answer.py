"""What a page was told already, for its live part: it asks for nothing twice in one draw."""

from collections.abc import Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class FirstAnswer(Generic[Answer]):
    """An answer that holds for the first draw; each later one asks anew."""

    def __init__(self, answer: Answer, *, ask: Callable[[], Answer]) -> None:
        self._answer: Answer | None = answer
        self._ask = ask

    def latest(self) -> Answer:
        """Give what the page was told, once; then what is told now."""
        answer, self._answer = self._answer, None
        return self._ask() if answer is None else answer
