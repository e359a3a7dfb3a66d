"""Which rows are answered, in which order, and why others are not: lateness, the future, repeats."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from shared.coin_metrics.clock import AHEAD, CONFIRMING, confirmed_time
from shared.coin_metrics.read import Batch, concatenate
from shared.coin_metrics.rows import Bools, Ints

RECENT_ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What becomes of the rows of a batch."""

    rows: Batch
    """The rows to answer, in the order in which they count as arrived."""
    stale: Batch
    """Rows that arrived too long after newer ones."""
    repeats: Batch
    """Rows whose coin and timestamp came again in the same batch, with a higher id."""
    counted: Ints
    """For each of the repeats, the index of the row that counts instead."""


class Admission:
    """The recording clock of the live worker and the rows held back because they are ahead of it."""

    def __init__(self, *, clock: int | None, max_age: int, recent: Iterable[str] = ()) -> None:
        self.clock = clock
        """Newest believed timestamp, microseconds."""
        self.held: Batch | None = None
        """Rows more than five minutes ahead of both clocks that nothing has confirmed yet."""
        self._max_age = max_age
        # Of believed rows only: one coin that floods the future must not look like the only one that sends.
        self._recent: deque[str] = deque(recent, maxlen=RECENT_ROWS)

    def copy(self) -> "Admission":
        """Give another one that decides alike; what it sees leaves this one as it is."""
        twin = Admission(clock=self.clock, max_age=self._max_age, recent=self._recent)
        twin.held = self.held
        return twin

    def held_ids(self) -> list[int]:
        """Give the ids of the held rows."""
        return [] if self.held is None else self.held.id.tolist()

    def next_release(self) -> int | None:
        """Give the time in microseconds at which the wall clock will reach the first held row."""
        return None if self.held is None else int(self.held.timestamp.min())

    def admit(self, fresh: Batch, *, wall: int, mine: Callable[[Batch], Bools | None] = lambda _rows: None) -> Admitted:
        """Decide about new rows, and about held ones that time or the new rows release.

        All of them move the clock and confirm each other; told apart are those that `mine` chooses (None: all).
        """
        start = -(2**62) if self.clock is None else self.clock
        before = np.maximum.accumulate(np.concatenate([[start], fresh.timestamp]))
        if self.held is None and bool((fresh.timestamp <= np.maximum(before[:-1], wall) + AHEAD).all()):
            rows, clocks = fresh, before[:-1]
            self._recent.extend(fresh.mint[-RECENT_ROWS:])
            self.clock = int(before[-1]) if len(fresh) else self.clock
        else:
            rows, clocks = self._one_by_one(fresh, wall=wall)
        chosen = mine(rows)
        if chosen is not None:
            rows, clocks = rows.take(np.flatnonzero(chosen)), clocks[chosen]
        late = rows.timestamp < clocks - self._max_age
        if late.any():
            stale, rows = rows.take(np.flatnonzero(late)), rows.take(np.flatnonzero(~late))
        else:
            stale = rows.take([])
        kept, dropped, counted = _repeats(rows)
        if len(dropped) == 0:
            return Admitted(rows=rows, stale=stale, repeats=rows.take([]), counted=counted)
        return Admitted(rows=rows.take(kept), stale=stale, repeats=rows.take(dropped), counted=counted)

    def _one_by_one(self, fresh: Batch, *, wall: int) -> tuple[Batch, Ints]:
        before = 0 if self.held is None else len(self.held)
        everything = fresh if self.held is None else concatenate([self.held, fresh])
        times = everything.timestamp.tolist()
        accepted: list[int] = []
        clocks: list[int] = []
        held: list[int] = []
        sure = self._limit(wall)
        self._recent.extend(fresh.mint[index] for index in np.flatnonzero(fresh.timestamp <= sure).tolist())

        def accept(index: int) -> None:
            if index < before or times[index] > sure:
                self._recent.append(everything.mint[index])
            clocks.append(-(2**62) if self.clock is None else self.clock)
            accepted.append(index)
            self.clock = times[index] if self.clock is None else max(self.clock, times[index])

        def accept_reached() -> None:
            """Accept what was held and is not ahead any more; each of them may bring the clock to the next."""
            while reached := [item for item in held if times[item] <= self._limit(wall)]:
                for item in reached:
                    accept(item)
                    # It was ahead when it came: waiting has not made it late.
                    clocks[-1] = times[item]
                    held.remove(item)

        for index, time in enumerate(times):
            if index >= before and time <= self._limit(wall):
                accept(index)
            else:
                held.append(index)
                # Rows that were held before have not confirmed each other; a new one can confirm only what is near it.
                near = [item for item in held if abs(times[item] - time) <= AHEAD] if index >= before else []
                confirmed = self._confirmed(everything, near) if len(near) >= CONFIRMING else None
                if confirmed is not None:
                    # The clock jumps first: the rows that confirm each other are not late among themselves.
                    self.clock = confirmed if self.clock is None else max(self.clock, confirmed)
            if held and index >= before - 1:
                accept_reached()
        self.held = everything.take(held) if held else None
        return everything.take(accepted), np.array(clocks, np.int64)

    def _limit(self, wall: int) -> int:
        return (wall if self.clock is None else max(self.clock, wall)) + AHEAD

    def _confirmed(self, everything: Batch, near: list[int]) -> int | None:
        mints = [everything.mint[index] for index in near]
        codes = {mint: code for code, mint in enumerate(dict.fromkeys(mints))}
        few = len({*(self._recent or everything.mint), *mints}) < CONFIRMING
        if not few and len(codes) < CONFIRMING:
            return None
        return confirmed_time(
            everything.timestamp[near], np.array([codes[mint] for mint in mints], np.int64), few_coins=few
        )


def _repeats(rows: Batch) -> tuple[list[int], list[int], Ints]:
    """Give the rows that count, the others, and for each of the others its place among those that count."""
    best: dict[tuple[str, int], int] = {}
    keys = list(zip(rows.mint, rows.timestamp.tolist(), strict=True))
    ids = rows.id.tolist()
    for index, key in enumerate(keys):
        known = best.get(key)
        if known is None or ids[index] > ids[known]:
            best[key] = index
    kept = sorted(best.values())
    if len(kept) == len(rows):
        return kept, [], np.empty(0, np.int64)
    place = {index: at for at, index in enumerate(kept)}
    dropped = sorted(set(range(len(rows))) - place.keys())
    return kept, dropped, np.array([place[best[keys[index]]] for index in dropped], np.int64)
