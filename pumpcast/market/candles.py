"""A simulated market of candles: trends that come and go, calm and wild times; the same seed, the same candles."""

from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shared.contracts.candles import interval_text, is_aligned
from shared.errors import Invalid

SYMBOL: Final = "SIMUSDT"
INTERVAL_SECONDS: Final = 900
FIRST_PRICE: Final = 100.0
_STEPS: Final = 15
"""Prices of one candle that are looked at for its highest and lowest."""
_BASE: Final = 900
"""The figures below are for candles of so many seconds."""
_TRENDS: Final = np.array([4e-4, -4e-4, 0.0])
"""Log return of a candle while the market rises, falls, stands."""
_ROUGHNESS: Final = np.array([0.9, 1.3, 0.7])
"""Volatility in each of them, as a multiple: falling markets are wild."""
_LASTS: Final = 1 / 96
"""Chance that a trend ends with a candle: one lasts a day on average."""
_VOLATILITY: Final = 2.5e-3
_MEMORY: Final = 0.98
_SURPRISE: Final = 0.12
"""The logarithm of volatility is an AR(1) process: what it remembers, and what is new."""
_HOME: Final = 4e-4
"""Pull of the first price, so that years of candles neither vanish nor explode."""
_VOLUME: Final = 250.0


def simulate_candles(
    seed: int,
    start: datetime,
    bars: int,
    interval_seconds: int = INTERVAL_SECONDS,
    *,
    symbol: str = SYMBOL,
    first_price: float = FIRST_PRICE,
) -> pa.Table:
    """Give candles one after the other, as they are loaded; a longer run begins with the shorter one."""
    if start.tzinfo is None:
        raise Invalid("start needs a time zone, for example 2026-01-01T00:00:00Z")
    if not is_aligned(start, interval_seconds):
        raise Invalid(f"start must be the start of a candle of {interval_text(interval_seconds)}")
    if bars < 1:
        raise Invalid(f"bars must be at least 1, not {bars}")
    chances, shocks, sizes = (np.random.default_rng([seed, stream]) for stream in range(3))
    length = interval_seconds / _BASE
    trend, volatility = _weather(chances.random((bars, 2)), shocks.standard_normal(bars), length)
    path = _path(sizes.standard_normal((bars, _STEPS)), trend, volatility, length)
    prices = np.round(first_price * np.exp(path), 4 + max(0, -int(np.floor(np.log10(first_price / FIRST_PRICE)))))
    noise = np.random.default_rng([seed, 3]).standard_normal(bars)
    volume = _VOLUME * length * volatility / _VOLATILITY * np.exp(0.4 * noise)
    times = int(start.timestamp()) * 1_000_000 + np.arange(bars) * interval_seconds * 1_000_000
    return pa.table(
        {
            "symbol": pa.array([symbol] * bars, pa.large_string()),
            "interval": pa.array([interval_text(interval_seconds)] * bars),
            "open_time": pa.array(times, pa.timestamp("us", "UTC")),
            "open": prices[:, 0],
            "high": prices.max(axis=1),
            "low": prices.min(axis=1),
            "close": prices[:, -1],
            "volume": np.round(volume, 3),
        }
    )


def _weather(
    chances: NDArray[np.float64], shocks: NDArray[np.float64], length: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the log return to expect of each candle and its volatility, for candles of the base length."""
    trends, levels = np.empty(len(shocks), np.int64), np.empty(len(shocks))
    trend, level = 2, 0.0
    memory, surprise = _MEMORY**length, _SURPRISE * length**0.5
    for bar, (ends, which) in enumerate(chances.tolist()):
        if ends < _LASTS * length:
            trend = int(which * len(_TRENDS))
        level = memory * level + surprise * float(shocks[bar])
        trends[bar], levels[bar] = trend, level
    return _TRENDS[trends], _VOLATILITY * _ROUGHNESS[trends] * np.exp(np.clip(levels, -2, 2))


def _path(
    noise: NDArray[np.float64], trend: NDArray[np.float64], volatility: NDArray[np.float64], length: float
) -> NDArray[np.float64]:
    """Give log(price / first price) at the start of each candle and after each of its steps."""
    steps = trend[:, None] * length / _STEPS + noise * (volatility * (length / _STEPS) ** 0.5)[:, None]
    inside: NDArray[np.float64] = np.hstack([np.zeros((len(noise), 1)), np.cumsum(steps, axis=1)])
    level, levels = 0.0, np.empty(len(noise))
    for bar, change in enumerate(inside[:, -1].tolist()):
        levels[bar] = level
        inside[bar] -= np.linspace(0, 1, _STEPS + 1) * _HOME * length * level
        level += change - _HOME * length * level
    inside += levels[:, None]
    return inside
