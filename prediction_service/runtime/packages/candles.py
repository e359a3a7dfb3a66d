"""Candles as arrays: what everything about packages computes on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """Closed candles of one market, oldest first, one interval apart without a gap."""

    open_time: NDArray[np.int64]
    """(n,) microseconds since 1970, UTC."""
    open: NDArray[np.float64]
    """(n,) first price, > 0."""
    high: NDArray[np.float64]
    """(n,) highest price."""
    low: NDArray[np.float64]
    """(n,) lowest price, > 0."""
    close: NDArray[np.float64]
    """(n,) last price, > 0."""
    volume: NDArray[np.float64]
    """(n,) amount traded, ≥ 0."""
    interval_seconds: int
    """Length of each."""

    def __len__(self) -> int:
        """Give how many."""
        return len(self.open_time)

    @property
    def close_time(self) -> NDArray[np.int64]:
        """(n,) when each closed, microseconds since 1970, UTC."""
        return self.open_time + self.interval_seconds * 1_000_000

    def part(self, start: int, end: int) -> "Candles":
        """Give the candles of a range of places, as views."""
        return Candles(
            open_time=self.open_time[start:end],
            open=self.open[start:end],
            high=self.high[start:end],
            low=self.low[start:end],
            close=self.close[start:end],
            volume=self.volume[start:end],
            interval_seconds=self.interval_seconds,
        )
