"""The last rows of each coin in memory, so that a new row needs no question to the database."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from shared.coin_metrics.read import Histories
from shared.coin_metrics.rows import Floats, Ints

MEMORY_BYTES = 256 << 20
MOST_COINS = 50_000


class Rings:
    """Histories of the coins seen last, right-aligned in one block; the coin unseen for longest gives way."""

    def __init__(self, *, depth: int, columns: tuple[str, ...]) -> None:
        self.depth = depth
        """Rows kept of each coin."""
        self.columns = columns
        row_bytes = 8 * (len(columns) + 1)
        self.capacity = max(64, min(MOST_COINS, MEMORY_BYTES // (row_bytes * depth)))
        """How many coins there is room for."""
        self._slots: OrderedDict[str, int] = OrderedDict()
        self._free = list(range(self.capacity - 1, -1, -1))
        # Pages of an empty block are only claimed when a coin is written to them.
        self._values = np.empty((self.capacity, depth, len(columns)))
        self._times = np.empty((self.capacity, depth), np.int64)
        self._count = np.zeros(self.capacity, np.int64)

    def __len__(self) -> int:
        return len(self._slots)

    def slots(self, mints: Sequence[str]) -> Ints:
        """Give the slot of each coin, -1 where it is not in memory."""
        found = self._slots
        result = np.empty(len(mints), np.int64)
        for index, mint in enumerate(mints):
            slot = found.get(mint, -1)
            if slot >= 0:
                found.move_to_end(mint)
            result[index] = slot
        return result

    def newest(self, slots: Ints) -> Ints:
        """Give the newest timestamp of each slot."""
        newest: Ints = self._times[slots, -1]
        return newest

    def push(self, slots: Ints, times: Ints, values: Floats) -> None:
        """Append one row to each slot; no slot may be given twice."""
        self._values[slots, :-1] = self._values[slots, 1:]
        self._times[slots, :-1] = self._times[slots, 1:]
        self._values[slots, -1] = values
        self._times[slots, -1] = times
        self._count[slots] = np.minimum(self._count[slots] + 1, self.depth)

    def read(self, slots: Ints) -> Histories:
        """Give copies of the histories."""
        return Histories(values=self._values[slots], timestamp=self._times[slots], count=self._count[slots])

    def fill(self, mints: Sequence[str], histories: Histories) -> None:
        """Put coins in from histories of the same depth."""
        for index, mint in enumerate(mints):
            slot = self._take(mint)
            self._values[slot] = histories.values[index]
            self._times[slot] = histories.timestamp[index]
            self._count[slot] = histories.count[index]

    def mints(self) -> list[str]:
        """Give the coins in memory, the one unseen for longest first."""
        return list(self._slots)

    def forget(self, mint: str) -> None:
        """Drop a coin, since a row was written into its past."""
        slot = self._slots.pop(mint, None)
        if slot is not None:
            self._free.append(slot)

    def clear(self) -> None:
        """Drop all."""
        for mint in list(self._slots):
            self.forget(mint)

    def _take(self, mint: str) -> int:
        slot = self._slots.get(mint)
        if slot is None:
            slot = self._free.pop() if self._free else self._slots.popitem(last=False)[1]
            self._slots[mint] = slot
        return slot
