"""The families of trading volume. Windows ascending, one float64[rows] for each window."""

from collections.abc import Iterator, Sequence

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.features.windows import Lookback, divided, window_results


def volume_ratio(rows: Lookback, windows: Sequence[int]) -> Iterator[Floats]:
    """v_t / mean volume of the window; 1 when that mean is 0, NaN when any volume of the window is missing."""
    volume = rows.here("volume_sol")
    totals = window_results(rows, "volume_sol", windows, combine=np.add, nothing=0.0)
    for window, total in zip(windows, totals, strict=True):
        yield divided(volume, total / rows.rows_in(window), neutral=1.0)


def order_book_imbalance(rows: Lookback, windows: Sequence[int]) -> Iterator[Floats]:
    """(Σ bought - Σ sold) / (Σ both) of the window, -1..1; 0 when nothing was traded, NaN when a volume is missing."""
    bought = window_results(rows, "buy_volume_sol", windows, combine=np.add, nothing=0.0)
    sold = window_results(rows, "sell_volume_sol", windows, combine=np.add, nothing=0.0)
    for buys, sells in zip(bought, sold, strict=True):
        yield divided(buys - sells, buys + sells, neutral=0.0)
