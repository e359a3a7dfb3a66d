"""Looking back from rows: values some rows earlier, and sums and extremes over windows.

Everything is added up lag by lag, newest first, so a window's result depends on nothing but the values in it: the same
bits come out for all rows of a table and for the last rows of a few coins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.coin_metrics.rows import Bools, Floats, Ints

MICROSECONDS_PER_MINUTE = 60_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookback:
    """Some rows ("here") and what their coins had in the rows before them.

    All series are flat arrays in which the value `k` rows before row `i` sits at `start + i - k·step`: step 1 for a
    stretch of sorted rows, step c for c histories side by side. Lags go up to `reach`.
    """

    series: Mapping[str, Floats]
    timestamp: Ints
    """Microseconds, laid out like the series."""
    start: int
    step: int
    age: Ints
    """For each row here: earlier rows of its coin that are known, at most `reach` of them."""
    inside: tuple[Bools | bool, ...]
    """For each lag 0..reach: the rows here whose coin goes back so far; True for all of them."""

    @classmethod
    def over(
        cls, series: Mapping[str, Floats], timestamp: Ints, *, start: int, step: int, age: Ints, reach: int
    ) -> "Lookback":
        """Look back from the rows at `start`, at most `reach` rows."""
        age = np.minimum(age, reach)
        youngest = int(age.min()) if len(age) else reach
        inside = tuple(age >= lag if lag > youngest else True for lag in range(reach + 1))
        return cls(series=series, timestamp=timestamp, start=start, step=step, age=age, inside=inside)

    def here(self, name: str) -> Floats:
        """Give the value of each row itself."""
        return self.series[name][self.start : self.start + len(self.age)]

    def back(self, name: str, lag: int) -> Floats:
        """Give the value `lag` rows earlier, anything for the rows that are not `inside[lag]`."""
        at = self.start - lag * self.step
        return self.series[name][at : at + len(self.age)]

    def before(self, name: str, window: int) -> Floats:
        """Give the value `window` rows earlier, that of the coin's first row where it is younger."""
        return self.series[name][self._index_before(window)]

    def minutes_since(self, window: int) -> Floats:
        """Give the minutes between each row and the row that `before` speaks of."""
        elapsed = self.timestamp[self.start : self.start + len(self.age)] - self.timestamp[self._index_before(window)]
        return elapsed / MICROSECONDS_PER_MINUTE

    def rows_in(self, window: int) -> Ints:
        """Give how many rows a window holds: `window`, fewer for a young coin."""
        return np.minimum(self.age + 1, window)

    def _index_before(self, window: int) -> Ints:
        here = np.arange(self.start, self.start + len(self.age), dtype=np.int64)
        here -= np.minimum(self.age, window) * self.step
        return here


def window_results(
    rows: Lookback, name: str, windows: Sequence[int], *, combine: np.ufunc, nothing: float
) -> Iterator[Floats]:
    """Combine the values of each window, ascending windows, one array float64[rows] for each of them.

    `combine` is np.add, np.maximum or np.minimum and `nothing` what changes nothing in it. NaN in a window gives NaN.

    >>> series = {"x": np.array([9.0, 1.0, 2.0, 4.0])}
    >>> rows = Lookback.over(series, np.arange(4), start=1, step=1, age=np.arange(3), reach=1)
    >>> [total.tolist() for total in window_results(rows, "x", (1, 2), combine=np.add, nothing=0.0)]
    [[1.0, 2.0, 4.0], [1.0, 3.0, 6.0]]
    """
    result = np.full(len(rows.age), nothing)
    lag = 0
    for window in windows:
        while lag < window:
            combine(result, rows.back(name, lag), out=result, where=rows.inside[lag])
            lag += 1
        yield result.copy()


def divided(above: Floats, below: Floats, *, neutral: float) -> Floats:
    """Divide; `neutral` where the divisor is 0, NaN where either is NaN.

    >>> divided(np.array([1.0, 1.0, np.nan]), np.array([2.0, 0.0, 0.0]), neutral=7.0).tolist()
    [0.5, 7.0, nan]
    """
    with np.errstate(all="ignore"):
        quotient = above / below
    zero = np.flatnonzero(below == 0)
    quotient[zero] = np.where(np.isnan(above[zero]), np.nan, neutral)
    return quotient
