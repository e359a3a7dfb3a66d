"""Ids that were not there when higher ones were: how long to keep looking for them."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from prediction_service.runtime.position import Position, Range, subtract

KEEP_SECONDS = 60.0
KEEP_SECONDS_CROWDED = 5.0
CROWDED = 1_000
HOT_SECONDS = 2.0
RECHECK_SECONDS = 1.0
ALWAYS_CHECKED = 200
KEPT = 64
"""So many are never given up, the widest of them: sessions may hold ids back, and a row with an id written by hand
leaves a gap that all following rows fill."""


@dataclass(frozen=True, slots=True)
class _Gap:
    low: int
    high: int
    noticed: float
    next_transaction: int


class Gaps:
    """Watches the pending ranges of a position.

    Where there are many, a gap ends for good when every transaction that was open when it was noticed has ended and
    some time has passed: an id may be given to a session a moment before its transaction has a number of its own.
    """

    def __init__(self, *, kept: int = KEPT) -> None:
        self._gaps: list[_Gap] = []
        self._checked = 0.0
        self._kept = kept

    def __len__(self) -> int:
        return len(self._gaps)

    def watch(self, ranges: Sequence[Range], *, now: float, next_transaction: int) -> None:
        """Take the ranges that are pending now; parts of known ones keep their age."""
        self._gaps = [
            _Gap(low, high, now, next_transaction)
            if known is None
            else _Gap(low, high, known.noticed, known.next_transaction)
            for (low, high), known in zip(ranges, self._known(ranges), strict=True)
        ]

    def has_new(self, ranges: Sequence[Range]) -> bool:
        """Tell whether any of the ranges is not part of a known one."""
        return None in self._known(ranges)

    def _known(self, ranges: Sequence[Range]) -> list[_Gap | None]:
        lows = [gap.low for gap in self._gaps]
        found: list[_Gap | None] = []
        for low, high in ranges:
            index = bisect_right(lows, low) - 1
            found.append(self._gaps[index] if index >= 0 and high <= self._gaps[index].high else None)
        return found

    def due(self, now: float) -> list[Range]:
        """Give the ranges to look into now: young ones always, old ones once a second when there are many."""
        everything = len(self._gaps) <= ALWAYS_CHECKED or now - self._checked >= RECHECK_SECONDS
        if everything:
            self._checked = now
        return [(gap.low, gap.high) for gap in self._gaps if everything or now - gap.noticed < HOT_SECONDS]

    def look_again(self) -> None:
        """Let the next look go into all ranges, since there were more rows than the last one might bring."""
        self._checked = -RECHECK_SECONDS

    def hot(self, now: float) -> bool:
        """Tell whether a gap is so young that its rows may come any moment."""
        return any(now - gap.noticed < HOT_SECONDS for gap in self._gaps)

    def warm(self, now: float) -> bool:
        """Tell whether a gap is so young that it is most likely a transaction that is still open."""
        return any(now - gap.noticed < KEEP_SECONDS for gap in self._gaps)

    def dead(self, *, now: float, oldest_transaction: int) -> list[Range]:
        """Give the ranges that are given up, since no transaction can be expected to fill them any more."""
        keep = KEEP_SECONDS if len(self._gaps) <= CROWDED else KEEP_SECONDS_CROWDED
        old = [gap for gap in self._gaps if now - gap.noticed >= keep and oldest_transaction >= gap.next_transaction]
        old.sort(key=lambda gap: (gap.high - gap.low, gap.noticed))
        return sorted((gap.low, gap.high) for gap in old[: max(0, len(self._gaps) - self._kept)])


def without_rows(ranges: Sequence[Range], ids: Sequence[int]) -> list[Range]:
    """Give the ranges in which none of the sorted ids lies.

    >>> without_rows([(1, 3), (5, 5), (7, 9)], [2, 8])
    [(5, 5)]

    """
    return [(low, high) for low, high in ranges if bisect_right(ids, high) == bisect_left(ids, low)]


def pending_gaps(position: Position, held: Sequence[int]) -> list[Range]:
    """Give the pending ranges without the rows that are held back: those are known already."""
    return subtract(position.pending, sorted(held))
