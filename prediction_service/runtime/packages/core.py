"""The block core28: what a policy and a forecaster see of the candles of one market."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from prediction_service.runtime.packages.candles import Candles
from shared.errors import CandlesUnusable

Floats = NDArray[np.float64]

CORE_NAMES: Final = (
    "ret_1", "ret_4", "ret_16", "ret_48", "hl_range_pct", "oc_range_pct",
    "vol_16", "vol_96", "vol_672", "atr_14",
    "ema_20_dist", "ema_50_dist", "ema_200_dist", "ema_20_slope", "ema_50_slope", "adx_14",
    "rsi_14", "macd", "macd_signal", "macd_hist",
    "vol_log", "vol_z_96",
    "hour_sin", "hour_cos", "dow_sin", "dow_cos",
    "funding_rate_now", "time_to_next_funding_steps",
)  # fmt: skip
FIRST_VALID: Final = 672
LARGEST: Final = 1e15
"""Of a feature: sums of squares of larger ones leave single precision, which networks compute in."""
RECURSIVE_NAMES: Final = (
    "atr_14", "ema_20_dist", "ema_50_dist", "ema_200_dist", "ema_20_slope", "ema_50_slope", "adx_14",
    "rsi_14", "macd", "macd_signal", "macd_hist",
)  # fmt: skip

_MICROSECONDS: Final = 1_000_000
_DAY: Final = 86_400
_FUNDING_CYCLE: Final = 8 * 3_600
_MOST_FUNDING_STEPS: Final = 32
_NEUTRAL_RSI: Final = 50.0
_BLOCK_ROWS: Final = 256
"""Whose windows fit the caches of a processor."""


def core_features(candles: Candles, newest: int | None = None) -> Floats:
    """Compute the 28 columns of `CORE_NAMES` for every candle, or for so many of the newest ones.

    Row t speaks of the moment candle t closed and depends on no later candle.

    | columns | formula | unit |
    |---|---|---|
    | ret_k | ln(close[t] / close[t−k]) | 1 |
    | hl_range_pct, oc_range_pct | (high − low) / close, (close − open) / open | 1 |
    | vol_k | standard deviation (ddof 0) of the last k ret_1 | 1 |
    | atr_14 | average true range after Wilder | price |
    | ema_k_dist, ema_k_slope | close / EMA_k − 1, EMA_k[t] / EMA_k[t−1] − 1 | 1 |
    | adx_14, rsi_14 | after Wilder | 0–100 |
    | macd, macd_signal, macd_hist | EMA_12 − EMA_26, its EMA_9, their difference | price |
    | vol_log, vol_z_96 | ln(1 + volume), its z-score (ddof 0) within the last 96 | 1 |
    | hour_*, dow_* | sine and cosine of the hour / 24 and the weekday / 7 (Monday 0) of open_time, UTC | 1 |
    | funding_rate_now | 0: no feed of funding rates is known | 1 |
    | time_to_next_funding_steps | candles from open_time to 00, 08 or 16 h UTC: 0 at the mark, at most 32 | candles |

    Shapes and types: candles of length n give float64 (n, 28).
    NaN: all columns of rows before `FIRST_VALID` (672 returns are there from row 672 on) and of rows that are not
    wanted, none else for prices that can be; an overflow is infinite or NaN from there on. A price that never moved has
    rsi_14 50 and adx_14 0; a volume that stayed the same has vol_z_96 0.
    Exactness: the columns of `RECURSIVE_NAMES` start with the first candle given and forget it at their own pace (the
    start weighs 1 % of ema_200 at row 672, 3e-6 at row 1499); all others depend on their windows alone, to the bit.
    Raises: nothing for finite prices > 0 and volumes ≥ 0, newest ≥ 0.
    Source: Wilder, New Concepts in Technical Trading Systems (1978); recursive indicators as TA-Lib computes them.

    >>> flat = np.full(700, 3e-8)
    >>> time = np.arange(700) * 900_000_000
    >>> core = core_features(Candles(
    ...     open_time=time, open=flat, high=flat, low=flat, close=flat, volume=flat * 0, interval_seconds=900))
    >>> core.shape, int(np.isnan(core).all(axis=1).sum()), bool(np.isfinite(core[672:]).all())
    ((700, 28), 672, True)
    >>> dict(zip(CORE_NAMES, core[-1].tolist()))["time_to_next_funding_steps"]  # 06:45
    5.0
    """
    count = len(candles)
    core = np.full((count, len(CORE_NAMES)), np.nan)
    first = FIRST_VALID if newest is None else max(FIRST_VALID, count - newest)
    if count > first:
        # What overflows is refused by `check_features`.
        with np.errstate(over="ignore", invalid="ignore"):
            columns = window_columns(candles, first) | recursive_columns(candles)
        for place, name in enumerate(CORE_NAMES):
            core[first:, place] = columns[name][first:]
    return core


def check_features(core: Floats, candles: Candles, rows: int) -> None:
    """Refuse candles with prices that cannot be, by the features of the newest `rows` of them.

    CandlesUnusable names the first candle with a feature that is not finite, or beyond `LARGEST`, and that feature.
    """
    first = max(len(core) - rows, FIRST_VALID)
    # NaN is not below either.
    places, columns = np.nonzero(~(np.abs(core[first:]) < LARGEST))
    if not len(places):
        return
    place, column = first + int(places[0]), int(columns[0])
    at = datetime.fromtimestamp(int(candles.open_time[place]) // _MICROSECONDS, UTC)
    which = "that candle or one before it" if place == first else "that candle"
    raise CandlesUnusable(
        f"{CORE_NAMES[column]} of the candle of {at:%Y-%m-%dT%H:%M:%SZ} is {core[place, column]:.3g}, which no market "
        f"brings about: correct the prices of {which}"
    )


class CoreWindows:
    """The features of every window of a long history, to the bit those of `core_features`, thirty times as fast."""

    def __init__(self, candles: Candles, bars: int) -> None:
        """Look at windows of so many candles."""
        self._candles, self._bars = candles, bars
        with np.errstate(over="ignore", invalid="ignore"):
            columns = window_columns(candles)
        self._shared = {CORE_NAMES.index(name): column for name, column in columns.items()}

    def ending(self, end: int) -> Floats:
        """Give `core_features` of the window whose last candle is at place `end` − 1, float64 (bars, 28)."""
        start = end - self._bars
        core = np.full((self._bars, len(CORE_NAMES)), np.nan)
        if self._bars > FIRST_VALID:
            with np.errstate(over="ignore", invalid="ignore"):
                own = recursive_columns(self._candles.part(start, end))
            for place, column in self._shared.items():
                core[FIRST_VALID:, place] = column[start + FIRST_VALID : end]
            for name, column in own.items():
                core[FIRST_VALID:, CORE_NAMES.index(name)] = column[FIRST_VALID:]
        return core


def window_columns(candles: Candles, first: int = FIRST_VALID) -> dict[str, Floats]:
    """Give the columns that depend on a window alone, float64 (n,) each; anything before the `first` row."""
    close = candles.close
    log_close = np.log(close)
    ret_1 = _change(log_close, 1)
    vol_log = np.log1p(candles.volume)
    away, spread = _away_and_spread(vol_log, 96, first)
    return {
        "ret_1": ret_1,
        "ret_4": _change(log_close, 4),
        "ret_16": _change(log_close, 16),
        "ret_48": _change(log_close, 48),
        "hl_range_pct": (candles.high - candles.low) / close,
        "oc_range_pct": (close - candles.open) / candles.open,
        "vol_16": _away_and_spread(ret_1, 16, first)[1],
        "vol_96": _away_and_spread(ret_1, 96, first)[1],
        "vol_672": _away_and_spread(ret_1, 672, first)[1],
        "vol_log": vol_log,
        "vol_z_96": np.divide(away, spread, out=np.zeros_like(away), where=spread > 0),
        **_clock_columns(candles),
    }


def recursive_columns(candles: Candles) -> dict[str, Floats]:
    """Give the columns of `RECURSIVE_NAMES`, which start with the first candle; float64 (n,) each."""
    # Whoever only needs the names gets along without the library.
    import talib

    high, low, close = (
        np.ascontiguousarray(series, np.float64) for series in (candles.high, candles.low, candles.close)
    )
    averages = {length: talib.EMA(close, length) for length in (20, 50, 200)}
    macd, signal, histogram = talib.MACD(close, 12, 26, 9)
    never_moved = np.logical_and.accumulate(close == close[0])
    columns = {f"ema_{length}_dist": (close - average) / average for length, average in averages.items()}
    columns |= {f"ema_{length}_slope": _growth(averages[length]) for length in (20, 50)}
    return columns | {
        "atr_14": talib.ATR(high, low, close, 14),
        "adx_14": talib.ADX(high, low, close, 14),
        # Without gains or losses TA-Lib answers 0, which would read as oversold.
        "rsi_14": np.where(never_moved, _NEUTRAL_RSI, talib.RSI(close, 14)),
        "macd": macd,
        "macd_signal": signal,
        "macd_hist": histogram,
    }


def _clock_columns(candles: Candles) -> dict[str, Floats]:
    seconds = candles.open_time // _MICROSECONDS
    hour = seconds // 3_600 % 24 * (2 * np.pi / 24)
    # 1970 began on a Thursday.
    weekday = (seconds // _DAY + 3) % 7 * (2 * np.pi / 7)
    to_funding = -seconds % _FUNDING_CYCLE
    steps = np.ceil(to_funding / candles.interval_seconds)
    return {
        "hour_sin": np.sin(hour),
        "hour_cos": np.cos(hour),
        "dow_sin": np.sin(weekday),
        "dow_cos": np.cos(weekday),
        "funding_rate_now": np.zeros(len(candles)),
        "time_to_next_funding_steps": np.minimum(steps, float(_MOST_FUNDING_STEPS)),
    }


def _change(series: Floats, lag: int) -> Floats:
    """Give series[t] − series[t−lag], NaN in the first rows."""
    change = np.full_like(series, np.nan)
    change[lag:] = series[lag:] - series[:-lag]
    return change


def _growth(series: Floats) -> Floats:
    """Give series[t] / series[t−1] − 1."""
    return _change(series, 1) / np.concatenate(([np.nan], series[:-1]))


def _away_and_spread(series: Floats, window: int, first: int) -> tuple[Floats, Floats]:
    """Give the distance from the mean of each window, and its standard deviation (ddof 0), from the `first` row on.

    Summed lag by lag over differences from the newest value: a window's results depend on nothing but its own values,
    and are exactly 0 when they are all the same. Running sums would leave rounding dust there, to be divided by.
    """
    away, spread = np.full_like(series, np.nan), np.full_like(series, np.nan)
    # Of one row alone numpy would sum in pairs, in another order: one more is taken, and no block is that small.
    blocks = max(-(-(len(series) - first + 1) // _BLOCK_ROWS), 0)
    edges = np.linspace(first - 1, len(series), blocks + 1).astype(int).tolist()
    for start, end in pairwise(edges):
        # (window, rows), the newest value first, summed in this order.
        lags = sliding_window_view(series[start - window + 1 : end], end - start)[::-1]
        apart = np.empty(lags.shape)
        np.subtract(lags, series[start:end], out=apart)
        mean = np.add.reduce(apart, axis=0) / window
        apart -= mean
        apart *= apart
        away[start:end] = -mean
        spread[start:end] = np.sqrt(np.add.reduce(apart, axis=0) / window)
    return away, spread
