"""How long the engineered features take, of all rows of a history and of the last rows of 500 coins, beside pandas."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.market import simulated_rows
from benchmarks.stopwatch import timed
from shared.coin_metrics.rows import CoinRows, Floats, Ints
from shared.features import DEFAULT_WINDOWS, FeatureSpec, build, build_last
from shared.features.families import FAMILY

ROWS = 500_000
COINS = 500
SPEC = FeatureSpec(tuple(f"{family}_{window}" for family in FAMILY for window in DEFAULT_WINDOWS))


def measure() -> dict[str, float]:
    """Give medians in seconds."""
    rows = simulated_rows(ROWS)
    frame = pd.DataFrame(dict(rows.values) | {"coin": rows.coin, "timestamp": rows.timestamp})
    values, timestamp, count = last_rows(rows, SPEC)
    chosen = frame[frame["coin"].isin(np.unique(rows.coin)[:COINS])]
    return {
        "features_all_rows": timed(lambda: build(rows, SPEC), times=5),
        "features_all_rows_pandas": timed(lambda: pandas_features(frame, lambda all_: all_.groupby("coin")), times=1),
        "features_last_row_500_coins": timed(lambda: build_last(values, timestamp, count, SPEC), times=21),
        "features_last_row_500_coins_pandas": timed(lambda: pandas_last(chosen), times=1),
    }


def last_rows(rows: CoinRows, spec: FeatureSpec) -> tuple[Floats, Ints, Ints]:
    """Give the histories of some coins as the live worker keeps them."""
    depth, coins = spec.history_needed(), np.unique(rows.coin)[:COINS]
    values = np.full((len(coins), depth, len(spec.base_columns)), np.nan)
    timestamp, count = np.zeros((len(coins), depth), np.int64), np.zeros(len(coins), np.int64)
    for at, coin in enumerate(coins):
        own = np.flatnonzero(rows.coin == coin)[-depth:]
        count[at] = len(own)
        timestamp[at, depth - len(own) :] = rows.timestamp[own]
        for number, name in enumerate(spec.base_columns):
            values[at, depth - len(own) :, number] = rows.values[name][own]
    return values, timestamp, count


def pandas_features(
    frame: pd.DataFrame, by_coin: Callable[[pd.DataFrame], Any], windows: Sequence[int] = DEFAULT_WINDOWS
) -> pd.DataFrame:
    """Compute the same families column by column; `by_coin` groups the frame where it holds more than one coin."""
    growth = frame["price_close"] / by_coin(frame)["price_close"].shift()
    frame = frame.assign(log_return=np.log(growth.to_numpy()))
    coins = by_coin(frame)
    found: dict[str, Any] = {}
    for window in windows:

        def over(column: str, how: str, rows: int = window, fewest: int = 1) -> Any:
            return coins[column].transform(lambda values: getattr(values.rolling(rows, min_periods=fewest), how)())

        minutes = (frame["timestamp"] - coins["timestamp"].shift(window)) / 60e6
        before = coins["price_close"].shift(window)
        bought, sold = over("buy_volume_sol", "sum"), over("sell_volume_sol", "sum")
        spread = over("price_high", "max") - over("price_low", "min")
        risen = frame["market_cap_close"] - coins["market_cap_close"].shift(window)
        found[f"price_change_{window}"] = (frame["price_close"] / before - 1) * 100
        found[f"price_roc_{window}"] = np.log(frame["price_close"] / before) / minutes * 100
        found[f"volume_ratio_{window}"] = frame["volume_sol"] / over("volume_sol", "mean")
        found[f"price_volatility_{window}"] = over("log_return", "std", window - 1, 2) * 100
        found[f"mcap_velocity_{window}"] = risen / minutes
        found[f"price_range_{window}"] = spread / frame["price_close"] * 100
        found[f"order_book_imbalance_{window}"] = (bought - sold) / (bought + sold)
    return pd.DataFrame(found)


def pandas_last(frame: pd.DataFrame) -> pd.DataFrame:
    """Compute the features of each coin's last row coin by coin."""
    depth = SPEC.history_needed()
    last = [pandas_features(own.tail(depth), lambda one: one).tail(1) for _, own in frame.groupby("coin")]
    return pd.concat(last)


if __name__ == "__main__":
    print(*(f"{name}: {seconds:.4f} s" for name, seconds in measure().items()), sep="\n")
