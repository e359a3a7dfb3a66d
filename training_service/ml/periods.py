"""Stretches of the clock that a window is told in: hours of a day, days of a month."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from shared.coin_metrics.rows import Ints

MOST_PERIODS = 48
_MINUTE_US = 60_000_000
_LENGTHS = (1, 5, 15, 60, 180, 360, 720, 1440, 10_080, 43_200, 525_600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """Stretches of equal length that hold rows, oldest first."""

    start_us: tuple[int, ...]
    minutes: int
    """Length of each."""
    number: Ints
    """Period of each row, 0.."""

    def __len__(self) -> int:
        return len(self.start_us)

    def start(self, number: int) -> datetime:
        """Give the first moment of a period."""
        return datetime.fromtimestamp(self.start_us[number] // 1_000_000, UTC)

    def rows(self) -> list[Ints]:
        """Give the positions of the rows of each period."""
        order = np.argsort(self.number, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.number, minlength=len(self)))[:-1]) if len(self) else []


def cut_periods(timestamp: Ints, *, most: int = MOST_PERIODS) -> Periods:
    """Cut times (microseconds, any order) into the shortest round lengths that give at most so many periods.

    Lengths run from a minute to a year and start at round times UTC. Periods without a row are left out.

    >>> periods = cut_periods(np.array([0, 30, 61, 200]) * 60_000_000, most=4)
    >>> periods.minutes, periods.number.tolist(), [start // 60_000_000 for start in periods.start_us]
    (60, [0, 0, 1, 2], [0, 60, 180])
    """
    if not len(timestamp):
        return Periods(start_us=(), minutes=_LENGTHS[0], number=np.zeros(0, dtype=np.int64))
    first, last = int(timestamp.min()), int(timestamp.max())
    fitting = (
        minutes for minutes in _LENGTHS if last // (minutes * _MINUTE_US) - first // (minutes * _MINUTE_US) + 1 <= most
    )
    minutes = next(fitting, _LENGTHS[-1])
    present, number = np.unique(timestamp // (minutes * _MINUTE_US), return_inverse=True)
    return Periods(start_us=tuple((present * minutes * _MINUTE_US).tolist()), minutes=minutes, number=number)
