"""Each family against its definition, written out slowly for one row at a time."""

import itertools
import math
import statistics
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coin_metrics.columns import BASE_FEATURES, PRICE_COLUMNS
from shared.coin_metrics.rows import CoinRows
from shared.features import FeatureSpec, build
from shared.features.build import KERNELS, STRETCH
from shared.features.families import FAMILY
from tests.support.market_rows import MINUTE, SECOND, START, coin_rows, one_coin

History = list[dict[str, float]]
nan = math.nan


def is_missing(row: dict[str, float], *names: str) -> bool:
    return any(math.isnan(row[name]) for name in names)


def in_window(history: History, window: int) -> History:
    return history[-window:]


def earlier(history: History, window: int) -> dict[str, float]:
    return history[max(len(history) - 1 - window, 0)]


def minutes(history: History, window: int) -> float:
    return (history[-1]["timestamp"] - earlier(history, window)["timestamp"]) / MINUTE


def slow_price_change(history: History, window: int) -> float:
    return (history[-1]["price_close"] / earlier(history, window)["price_close"] - 1) * 100


def slow_price_roc(history: History, window: int) -> float:
    then, now = earlier(history, window)["price_close"], history[-1]["price_close"]
    return 100 * math.log(now / then) / minutes(history, window)


def slow_volume_ratio(history: History, window: int) -> float:
    mean = statistics.fmean(row["volume_sol"] for row in in_window(history, window))
    return history[-1]["volume_sol"] / mean if mean else 1.0


def slow_price_volatility(history: History, window: int) -> float:
    prices = [row["price_close"] for row in in_window(history, window)]
    if any(map(math.isnan, prices)):
        return nan
    returns = [math.log(now) - math.log(then) for then, now in itertools.pairwise(prices)]
    return statistics.stdev(returns) * 100 if len(returns) > 1 else 0.0


def slow_mcap_velocity(history: History, window: int) -> float:
    return (history[-1]["market_cap_close"] - earlier(history, window)["market_cap_close"]) / minutes(history, window)


def slow_price_range(history: History, window: int) -> float:
    rows = in_window(history, window)
    if any(is_missing(row, "price_high", "price_low") for row in rows):
        return nan
    high, low = max(row["price_high"] for row in rows), min(row["price_low"] for row in rows)
    return (high - low) / history[-1]["price_close"] * 100


def slow_order_book_imbalance(history: History, window: int) -> float:
    rows = in_window(history, window)
    buys, sells = (math.fsum(row[name] for row in rows) for name in ("buy_volume_sol", "sell_volume_sol"))
    return (buys - sells) / (buys + sells) if buys + sells != 0 else 0.0


SLOW: dict[str, Callable[[History, int], float]] = {
    "price_change": slow_price_change,
    "price_roc": slow_price_roc,
    "volume_ratio": slow_volume_ratio,
    "price_volatility": slow_price_volatility,
    "mcap_velocity": slow_mcap_velocity,
    "price_range": slow_price_range,
    "order_book_imbalance": slow_order_book_imbalance,
}


def slow_value(family: str, history: History, window: int) -> float:
    if len(history) == 1:
        return nan if is_missing(history[0], *FAMILY[family].columns) else FAMILY[family].neutral
    return SLOW[family](history, window)


def slow_histories(rows: CoinRows) -> dict[tuple[int, int], History]:
    """Of each coin and moment: what is known of the coin then, oldest first, missing values as NaN."""
    winner: dict[tuple[int, int], int] = {}
    for row in np.argsort(rows.id):
        winner[int(rows.coin[row]), int(rows.timestamp[row])] = int(row)
    found: dict[tuple[int, int], History] = {}
    for coin, timestamp in sorted(winner):
        row = winner[coin, timestamp]
        record = {"timestamp": float(timestamp)}
        for name, values in rows.values.items():
            value = float(values[row])
            bad = not math.isfinite(value) or (name in PRICE_COLUMNS and value <= 0)
            record[name] = nan if bad else value
        before = [history for (other, then), history in found.items() if other == coin and then < timestamp]
        found[coin, timestamp] = [*(before[-1] if before else []), record]
    return found


@pytest.mark.parametrize("family", sorted(FAMILY))
@given(data=st.data())
def test_family_when_rows_are_ugly_then_equals_its_definition(family: str, data: st.DataObject) -> None:
    rows = data.draw(coin_rows(columns=FAMILY[family].columns))
    windows = data.draw(st.lists(st.integers(1, 8) | st.sampled_from([15, 200]), min_size=1, max_size=4, unique=True))
    names = tuple(f"{family}_{window}" for window in windows)
    histories = slow_histories(rows)
    moments = zip(rows.coin.tolist(), rows.timestamp.tolist(), strict=True)
    expected = [[slow_value(family, histories[moment], window) for window in windows] for moment in moments]
    found = build(rows, FeatureSpec(names))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.array(expected), rtol=3e-6, atol=3e-6)


@given(coin_rows())
def test_base_feature_when_built_then_raw_and_prices_per_billion_tokens(rows: CoinRows) -> None:
    found = build(rows, FeatureSpec(BASE_FEATURES))
    histories = slow_histories(rows)
    for row, moment in enumerate(zip(rows.coin.tolist(), rows.timestamp.tolist(), strict=True)):
        now = histories[moment][-1]
        expected = [now[name] * 1e9 if name in PRICE_COLUMNS else now[name] for name in BASE_FEATURES]
        np.testing.assert_array_equal(found[row], np.array(expected).astype(np.float32))


def features(rows: CoinRows, *names: str) -> list[list[float]]:
    return build(rows, FeatureSpec(names)).astype(np.float64).round(4).tolist()


def test_price_families_when_times_are_irregular_then_written_out_values() -> None:
    rows = one_coin([START, START + 30 * SECOND, START + 150 * SECOND], price_close=[2e-8, 3e-8, 6e-8])
    assert features(rows, "price_change_1", "price_change_5", "price_roc_1", "price_roc_2", "price_volatility_3") == [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [50.0, 50.0, 81.093, 81.093, 0.0],
        [100.0, 200.0, 34.6574, 43.9445, 20.3422],
    ]


def test_flow_families_when_nothing_was_traded_then_neutral() -> None:
    rows = one_coin([START, START + SECOND], volume_sol=[0, 0], buy_volume_sol=[0, 0], sell_volume_sol=[0, 0])
    assert features(rows, "volume_ratio_5", "order_book_imbalance_5") == [[1.0, 0.0], [1.0, 0.0]]


def test_first_row_when_it_spans_a_range_then_neutral_until_there_is_a_second() -> None:
    rows = one_coin(
        [START, START + SECOND], price_high=[4e-8, 4e-8], price_low=[2e-8, 3e-8], price_close=[4e-8, 4e-8],
        buy_volume_sol=[3, 3], sell_volume_sol=[1, 1],
    )  # fmt: skip
    assert features(rows, "price_range_1", "price_range_5", "order_book_imbalance_1") == [
        [0.0, 0.0, 0.0],
        [25.0, 50.0, 0.5],
    ]


def test_steady_rise_when_price_grows_by_the_same_share_then_no_volatility() -> None:
    rows = one_coin([START + k * SECOND for k in range(200)], price_close=[3e-8 * 1.05**k for k in range(200)])
    assert np.abs(build(rows, FeatureSpec(("price_volatility_200",)))).max() < 1e-9


def test_missing_price_when_between_two_ends_then_only_windows_that_hold_it_are_missing() -> None:
    rows = one_coin([START + k * MINUTE for k in range(5)], price_close=[2e-8, nan, 4e-8, 5e-8, 5e-8])
    found = features(rows, "price_change_1", "price_change_2", "price_volatility_2", "price_volatility_4")
    np.testing.assert_array_equal(
        found,
        [[0, 0, 0, 0], [nan, nan, nan, nan], [nan, 100, nan, nan], [25, nan, 0, nan], [0, 25, 0, nan]],
    )


def test_result_when_it_exceeds_float32_then_missing() -> None:
    rows = one_coin([START, START + SECOND], market_cap_close=[1e300, -1e300], price_close=[1e-300, 1e300])
    assert np.isnan(build(rows, FeatureSpec(("market_cap_close", "mcap_velocity_1", "price_change_1")))[1]).all()


def test_build_when_rows_exceed_one_stretch_then_the_same_as_coin_by_coin() -> None:
    rng = np.random.default_rng(5)
    size = 2 * STRETCH + 100
    price = 3e-8 * np.exp(np.cumsum(rng.normal(0, 0.01, size)))
    rows = one_coin([START + k * SECOND for k in range(size)], price_close=price, volume_sol=rng.exponential(1, size))
    spec = FeatureSpec(("price_change_200", "price_roc_7", "price_volatility_60", "volume_ratio_200"))
    whole = build(rows, spec)
    for end in (STRETCH - 1, STRETCH, STRETCH + 1, 2 * STRETCH, size):
        part = build(rows.take(slice(end - spec.history_needed(), end)), spec)
        assert part[-1].tobytes() == whole[end - 1].tobytes()


def test_build_when_there_are_no_rows_then_no_features() -> None:
    assert build(one_coin([]), FeatureSpec(("price_close", "price_roc_5"))).shape == (0, 2)


def test_every_family_when_listed_then_has_one_formula() -> None:
    assert set(KERNELS) == set(FAMILY) == set(SLOW)
