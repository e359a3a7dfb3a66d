"""The families of price and market cap. p = price_close, t = now; windows ascending, one float64[rows] for each."""

from collections.abc import Iterator, Sequence

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.features.windows import Lookback, divided, window_results

LOG_PRICE = "log_price"


def price_change(rows: Lookback, windows: Sequence[int]) -> Iterator[Floats]:
    """(p_t / p_{t-w} - 1)·100 in %; NaN when either price is missing."""
    price = rows.here("price_close")
    for window in windows:
        yield (price / rows.before("price_close", window) - 1.0) * 100.0


def price_roc(rows: Lookback, windows: Sequence[int]) -> Iterator[Floats]:
    """(ln p_t - ln p_{t-w}) / minutes between the rows · 100 in % per minute; NaN when either price is missing."""
    log_price = rows.here(LOG_PRICE)
    for window in windows:
        rise = log_price - rows.before(LOG_PRICE, window)
        yield divided(rise, rows.minutes_since(window), neutral=0.0) * 100.0


def price_volatility(rows: Lookback, windows: Sequence[int]) -> Iterator[Floats]:
    """Sample standard deviation (ddof 1) of the row-to-row log returns in the window · 100 in %.

    w rows hold w - 1 returns; fewer than two returns give 0. NaN when any price of the window is missing.

    The sums run over returns less the newest one, a member of the sample: sums of squares of the returns themselves
    would lose all digits where a steady rise leaves a small spread.
    """
    log_price = rows.here(LOG_PRICE)
    newest = log_price - rows.back(LOG_PRICE, 1)
    total = log_price - log_price
    squares = total.copy()
    later, lag = log_price, 1
    for window in windows:
        while lag < window:
            earlier = rows.back(LOG_PRICE, lag)
            apart = (later - earlier) - newest
            np.add(total, apart, out=total, where=rows.inside[lag])
            np.add(squares, apart * apart, out=squares, where=rows.inside[lag])
            later, lag = earlier, lag + 1
        returns = rows.rows_in(window) - 1
        variance = (squares - total * total / np.maximum(returns, 1)) / np.maximum(returns - 1, 1)
        yield np.sqrt(np.maximum(variance, 0.0)) * 100.0


def mcap_velocity(rows: Lookback, windows: Sequence[int]) -> Iterator[Floats]:
    """(m_t - m_{t-w}) / minutes between the rows in SOL per minute; NaN when either market cap is missing."""
    market_cap = rows.here("market_cap_close")
    for window in windows:
        rise = market_cap - rows.before("market_cap_close", window)
        yield divided(rise, rows.minutes_since(window), neutral=0.0)


def price_range(rows: Lookback, windows: Sequence[int]) -> Iterator[Floats]:
    """(highest high - lowest low of the window) / p_t · 100 in %; NaN when p_t or any high or low of it is missing."""
    price = rows.here("price_close")
    highest = window_results(rows, "price_high", windows, combine=np.maximum, nothing=-np.inf)
    lowest = window_results(rows, "price_low", windows, combine=np.minimum, nothing=np.inf)
    for high, low in zip(highest, lowest, strict=True):
        yield (high - low) / price * 100.0
