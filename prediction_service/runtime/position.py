"""Where the live worker stands in `coin_metrics`: which ids are done, which may still appear.

Ids are given before a transaction commits, so a lower id can become visible after a higher one. A position therefore is
the highest id seen and the ids below it that were not there yet (or are held back): its pending ranges.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Range = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A set of ids: all up to `high` but the pending ones."""

    high: int
    """The highest id seen."""
    pending: tuple[Range, ...]
    """Sorted, disjoint, inclusive ranges of ids ≤ high that are not done."""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(high=value["high"], pending=tuple((low, high) for low, high in value["pending"]))

    def to_json(self) -> dict[str, Any]:
        """Give a form for jsonb."""
        return {"high": self.high, "pending": [list(item) for item in self.pending]}

    def contains(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which ids are done.

        >>> Position(high=10, pending=((3, 4), (8, 8))).contains(np.array([2, 3, 8, 10, 11])).tolist()
        [True, False, False, True, False]

        """
        done: NDArray[np.bool_] = ids <= self.high
        if self.pending:
            lows, highs = np.array(self.pending, np.int64).T
            index = np.searchsorted(lows, ids, side="right") - 1
            inside = (index >= 0) & (ids <= highs[np.maximum(index, 0)])
            done &= ~inside
        return done

    def advanced(self, ids: Sequence[int], *, held: Iterable[int] = ()) -> "Position":
        """Give the position after these ids were seen; those in `held` stay pending.

        >>> Position(high=5, pending=((2, 3),)).advanced([3, 8, 9], held=[9])
        Position(high=9, pending=((2, 2), (6, 7), (9, 9)))

        """
        kept = set(held)
        done = sorted(set(ids) - kept)
        high = max([self.high, *ids])
        open_ranges = [*self.pending]
        if high > self.high:
            open_ranges.append((self.high + 1, high))
        return Position(high=high, pending=tuple(subtract(open_ranges, done)))

    def without(self, ranges: Iterable[Range]) -> "Position":
        """Give the position with parts of its pending ranges, told by disjoint ranges, taken as done.

        >>> Position(high=9, pending=((2, 8),)).without([(2, 3), (5, 6)])
        Position(high=9, pending=((4, 4), (7, 8)))

        """
        taken = sorted(ranges)
        left: list[Range] = []
        first = 0
        for low, high in self.pending:
            while first < len(taken) and taken[first][1] < low:
                first += 1
            start, at = low, first
            while at < len(taken) and taken[at][0] <= high:
                if taken[at][0] > start:
                    left.append((start, taken[at][0] - 1))
                start = max(start, taken[at][1] + 1)
                at += 1
            if start <= high:
                left.append((start, high))
        return Position(high=self.high, pending=tuple(left))

    def joined(self, other: "Position") -> "Position":
        """Give the position of what is done by either.

        >>> Position(high=5, pending=((2, 3),)).joined(Position(high=9, pending=((3, 4), (7, 7))))
        Position(high=9, pending=((3, 3), (7, 7)))

        """
        high = max(self.high, other.high)
        left, right = _open_up_to(self, high), _open_up_to(other, high)
        pending: list[Range] = []
        at = 0
        for low, top in left:
            while at < len(right) and right[at][1] < low:
                at += 1
            following = at
            while following < len(right) and right[following][0] <= top:
                pending.append((max(low, right[following][0]), min(top, right[following][1])))
                following += 1
        return Position(high=high, pending=tuple(pending))

    def covers(self, other: "Position") -> bool:
        """Tell whether everything that the other one has done is done.

        >>> Position(high=9, pending=((3, 3),)).covers(Position(high=5, pending=((2, 3),)))
        True

        """
        both = self.joined(other)
        return both.high == self.high and _count(both.pending) == _count(self.pending)


def common(positions: Iterable[Position]) -> Position:
    """Give the position of what is done by all of them.

    >>> common([Position(high=5, pending=((2, 3),)), Position(high=9, pending=((3, 4), (7, 7)))])
    Position(high=5, pending=((2, 4),))

    """
    known = tuple(positions)
    high = min(position.high for position in known)
    merged: list[Range] = []
    for low, top in sorted(item for position in known for item in position.pending if item[0] <= high):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], min(top, high)))
        else:
            merged.append((low, min(top, high)))
    return Position(high=high, pending=tuple(merged))


def _open_up_to(position: Position, high: int) -> list[Range]:
    return [*position.pending, (position.high + 1, high)] if position.high < high else [*position.pending]


def _count(ranges: Iterable[Range]) -> int:
    return sum(high - low + 1 for low, high in ranges)


def subtract(ranges: Iterable[Range], ids: Sequence[int]) -> list[Range]:
    """Take sorted ids out of sorted disjoint ranges.

    >>> subtract([(1, 5), (9, 9)], [3, 9])
    [(1, 2), (4, 5)]

    """
    result: list[Range] = []
    index = 0
    for low, high in ranges:
        start = low
        while index < len(ids) and ids[index] < low:
            index += 1
        while index < len(ids) and ids[index] <= high:
            if ids[index] > start:
                result.append((start, ids[index] - 1))
            start = ids[index] + 1
            index += 1
        if start <= high:
            result.append((start, high))
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A time of activity of a model, told in positions."""

    start: Position
    """What was visible at the activation: never owed."""
    until: Position | None
    """What was visible at the deactivation: nothing else is owed any more; None while active."""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read an entry of the column `activation`."""
        until = value["until"]
        return cls(start=Position.from_json(value["from"]), until=None if until is None else Position.from_json(until))

    def owes(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell for which rows the model owes a prediction."""
        owed = ~self.start.contains(ids)
        return owed if self.until is None else owed & self.until.contains(ids)

    def drained(self, position: Position) -> bool:
        """Tell whether the worker has passed all that this interval owes."""
        if self.until is None:
            return False
        # Ids that were missing at the deactivation too are owed by nobody, whether they ever come or not.
        left = position.without(self.until.pending).pending
        return position.high >= self.until.high and not any(low <= self.until.high for low, _ in left)


def owed(intervals: Iterable[Interval], ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell for which rows any of the intervals owes a prediction."""
    result = np.zeros(len(ids), np.bool_)
    for interval in intervals:
        result |= interval.owes(ids)
    return result
