"""Ids that were not there when higher ones were: how long to keep looking for them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from prediction_service.runtime.position import Position, Range, subtract

KEEP_SECONDS = 60.0
KEEP_SECONDS_CROWDED = 5.0
CROWDED = 1_000
HOT_SECONDS = 2.0
RECHECK_SECONDS = 1.0
ALWAYS_CHECKED = 200


@dataclass(frozen=True, slots=True)
class _Gap:
    low: int
    high: int
    noticed: float
    next_transaction: int


class Gaps:
    """Watches the pending ranges of a position.

    A gap ends for good when every transaction that was open when it was noticed has ended and some time has passed:
    an id may be given to a session a moment before its transaction has a number of its own.
    """

    def __init__(self) -> None:
        self._gaps: list[_Gap] = []
        self._checked = 0.0

    def __len__(self) -> int:
        return len(self._gaps)

    def watch(self, ranges: Sequence[Range], *, now: float, next_transaction: int) -> None:
        """Take the ranges that are pending now; parts of known ones keep their age."""
        lows = [gap.low for gap in self._gaps]
        kept = []
        for low, high in ranges:
            index = bisect_right(lows, low) - 1
            known = self._gaps[index] if index >= 0 and high <= self._gaps[index].high else None
            if known is None:
                kept.append(_Gap(low, high, now, next_transaction))
            else:
                kept.append(_Gap(low, high, known.noticed, known.next_transaction))
        self._gaps = kept

    def due(self, now: float) -> list[Range]:
        """Give the ranges to look into now: young ones always, old ones once a second when there are many."""
        everything = len(self._gaps) <= ALWAYS_CHECKED or now - self._checked >= RECHECK_SECONDS
        if everything:
            self._checked = now
        return [(gap.low, gap.high) for gap in self._gaps if everything or now - gap.noticed < HOT_SECONDS]

    def hot(self, now: float) -> bool:
        """Tell whether a gap is so young that its rows may come any moment."""
        return any(now - gap.noticed < HOT_SECONDS for gap in self._gaps)

    def dead(self, *, now: float, oldest_transaction: int) -> list[Range]:
        """Give the ranges that no transaction can fill any more."""
        keep = KEEP_SECONDS if len(self._gaps) <= CROWDED else KEEP_SECONDS_CROWDED
        return [
            (gap.low, gap.high)
            for gap in self._gaps
            if now - gap.noticed >= keep and oldest_transaction >= gap.next_transaction
        ]


def pending_gaps(position: Position, held: Sequence[int]) -> list[Range]:
    """Give the pending ranges without the rows that are held back: those are known already."""
    return subtract(position.pending, sorted(held))
