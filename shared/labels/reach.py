"""How far a value went after each row, up to the horizon."""

import numpy as np

from shared.coin_metrics.rows import CoinRows, Floats, cleaned
from shared.labels.answer import change_pct
from shared.labels.horizon import furthest, last_row_until
from shared.labels.targets import TimeTarget


def reach(rows: CoinRows, target: TimeTarget) -> tuple[Floats, Floats]:
    """Give the highest and the lowest change in % from each row to a later one within the horizon, float64[n] each.

    `rows` are sorted by coin and time without repeats, and reach to the horizon. Missing values are passed over; NaN
    where none is known, and where the value at the row itself is missing or ≤ 0.

    >>> rows = CoinRows(
    ...     mints=("A",),
    ...     coin=np.zeros(4, np.int64),
    ...     timestamp=np.array([0, 5, 9, 21]) * 60_000_000,
    ...     id=np.arange(4),
    ...     phase=np.ones(4, np.int64),
    ...     values={"price_close": np.array([3e-8, 4.5e-8, 2.7e-8, 6e-8])},
    ... )
    >>> target = TimeTarget(target_var="price_close", future_minutes=10, min_percent_change=30)
    >>> [change.tolist() for change in reach(rows, target)]
    [[50.0, -40.0, nan, nan], [-10.0, -40.0, nan, nan]]
    """
    value = cleaned(target.target_var, rows.values[target.target_var])
    value[~(value > 0)] = np.nan
    here = np.arange(len(rows))
    last_row = np.full(len(rows.mints), -1)
    last_row[rows.coin] = here
    until = last_row_until(rows, target.horizon, last_row)[:-1]
    alone = until <= here[:-1]
    # Rows as seen from the one before each: the first is at 0, the last within the horizon at until - 1.
    following, ends = value[1:], np.maximum(until - 1, here[:-1])
    found = []
    with np.errstate(all="ignore"):
        for highest in (True, False):
            best = furthest(following, ends, "up" if highest else "down")
            best[alone | ~np.isfinite(best)] = np.nan
            change = np.full(len(rows), np.nan)
            change[:-1] = change_pct(value[:-1], best)
            found.append(change)
    return found[0], found[1]
