"""Features of rows: of all rows of a table, or of the last row of each coin. The same formulas, the same bits."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.columns import PRICE_COLUMNS
from shared.coin_metrics.rows import CoinRows, Floats, Ints, cleaned
from shared.features.families import FAMILY
from shared.features.flow import order_book_imbalance, volume_ratio
from shared.features.price import LOG_PRICE, mcap_velocity, price_change, price_range, price_roc, price_volatility
from shared.features.spec import FeatureSpec
from shared.features.windows import Lookback

KERNELS: Mapping[str, Callable[[Lookback, Sequence[int]], Iterator[Floats]]] = {
    "price_change": price_change,
    "price_roc": price_roc,
    "volume_ratio": volume_ratio,
    "price_volatility": price_volatility,
    "mcap_velocity": mcap_velocity,
    "price_range": price_range,
    "order_book_imbalance": order_book_imbalance,
}
PRICE_SCALE = 1e9
# A stretch of this many rows with all its sums stays in the processor's cache.
STRETCH = 16_384


def build(rows: CoinRows, spec: FeatureSpec) -> NDArray[np.float32]:
    """Give the features of every row, float32[n, features], in the order of the rows given.

    Rows may come in any order. A repeat of (coin, timestamp) counts once, with the values of the highest id, and every
    repeat gets the features of that one row. Prices enter as SOL per 1e9 tokens, all else in raw units. Missing values
    make NaN exactly the features that use them; what overflows float32 is NaN too. Raises KeyError for a column `rows`
    lack.

    >>> price = np.array([3e-8, 3.3e-8, 6e-8])
    >>> rows = CoinRows(
    ...     mints=("A", "B"),
    ...     coin=np.array([0, 0, 1]),
    ...     timestamp=np.array([0, 60_000_000, 60_000_000]),
    ...     id=np.arange(3),
    ...     phase=np.ones(3, np.int64),
    ...     values={"price_close": price},
    ... )
    >>> build(rows, FeatureSpec(("price_close", "price_change_5"))).round(3).tolist()
    [[30.0, 0.0], [33.0, 10.0], [60.0, 0.0]]
    """
    kept, slot = rows.unique_order()
    coin = rows.coin[kept]
    place = np.arange(len(kept))
    first = np.ones(len(kept), dtype=np.bool_)
    first[1:] = coin[1:] != coin[:-1]
    age = place - np.maximum.accumulate(np.where(first, place, 0))
    reach = spec.history_needed() - 1
    out = np.empty((len(kept), len(spec.names)), dtype=np.float32)
    for begin in range(0, len(kept), STRETCH):
        end = min(begin + STRETCH, len(kept))
        # Lags that would start before row 0 leave the coin anyway; any row may stand in for them.
        index = kept[np.maximum(np.arange(begin - reach, end), 0)]
        columns = {name: rows.values[name][index] for name in spec.base_columns}
        lookback = Lookback.over(
            _series(columns, spec), rows.timestamp[index], start=reach, step=1, age=age[begin:end], reach=reach
        )
        _fill(out[begin:end], lookback, spec)
    if np.array_equal(slot, place):
        return out
    return out[slot]


def build_last(values: Floats, timestamp: Ints, count: Ints, spec: FeatureSpec) -> NDArray[np.float32]:
    """Give the features of the last row of each coin, float32[c, features], bit-identical to `build` on the same rows.

    `values` float64[c, H, B] holds c histories, oldest first, ending at H-1; B follows `spec.base_columns`. `timestamp`
    int64[c, H] in microseconds. Only the last `count[i]` entries of coin i are real, sorted by time and without
    repeats. H is at least `spec.history_needed()`. Raises ValueError when a shape or count says otherwise.

    >>> price = np.array([[[np.nan], [3e-8], [3.3e-8]]])
    >>> spec = FeatureSpec(("price_close", "price_change_2"))
    >>> build_last(price, np.array([[0, 0, 60_000_000]]), np.array([2]), spec).round(3).tolist()
    [[33.0, 10.0]]
    """
    coins, depth = timestamp.shape
    reach = spec.history_needed() - 1
    if values.shape != (coins, depth, len(spec.base_columns)):
        raise ValueError(f"values are {values.shape}, not {(coins, depth, len(spec.base_columns))}")
    if depth <= reach:
        raise ValueError(f"{depth} rows of history are too few, {reach + 1} are needed")
    if count.shape != (coins,) or np.any((count < 1) | (count > depth)):
        raise ValueError(f"count needs a number from 1 to {depth} for each of {coins} coins")
    newest = np.ascontiguousarray(values[:, depth - 1 - reach :].transpose(2, 1, 0)).reshape(len(spec.base_columns), -1)
    columns = dict(zip(spec.base_columns, newest, strict=True))
    times = np.ascontiguousarray(timestamp[:, depth - 1 - reach :].T).reshape(-1)
    out = np.empty((coins, len(spec.names)), dtype=np.float32)
    lookback = Lookback.over(_series(columns, spec), times, start=reach * coins, step=coins, age=count - 1, reach=reach)
    _fill(out, lookback, spec)
    return out


def _series(columns: Mapping[str, Floats], spec: FeatureSpec) -> dict[str, Floats]:
    """Clean the columns and add the logarithm, of flat arrays: on others numpy's log may differ in the last bit."""
    series = {name: cleaned(name, values) for name, values in columns.items()}
    if not {"price_roc", "price_volatility"}.isdisjoint(spec.engineered):
        series[LOG_PRICE] = np.log(series["price_close"])
    return series


def _fill(out: NDArray[np.float32], rows: Lookback, spec: FeatureSpec) -> None:
    """Write the features of the rows into float32[rows, features]."""
    with np.errstate(all="ignore"):
        for at, name in spec.base_names:
            values = rows.here(name)
            out[:, at] = values * PRICE_SCALE if name in PRICE_COLUMNS else values
        alone = np.flatnonzero(rows.age == 0)
        for family, windows in spec.engineered.items():
            results = KERNELS[family](rows, [window for window, _ in windows])
            for (_, at), result in zip(windows, results, strict=True):
                result[alone] = np.where(np.isnan(result[alone]), np.nan, FAMILY[family].neutral)
                out[:, at] = result
        np.copyto(out, np.nan, where=~np.isfinite(out))
