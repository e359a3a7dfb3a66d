"""What must hold of features whatever the rows: the same in training and in serving, and nothing from elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.rows import CoinRows
from shared.features import FeatureSpec, build, build_last
from shared.features.families import FAMILY
from tests.support.market_rows import START, coin_rows, histories, one_coin

ENGINEERED = tuple(f"{family}_{window}" for family in FAMILY for window in (1, 2, 3, 7))
specs = st.lists(st.sampled_from(BASE_FEATURES + ENGINEERED), min_size=1, unique=True).map(
    lambda names: FeatureSpec(tuple(names))
)


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and left.tobytes() == right.tobytes()


@given(coin_rows(repeats=False), specs)
def test_last_row_when_only_needed_history_is_given_then_same_features(rows: CoinRows, spec: FeatureSpec) -> None:
    whole = build(rows, spec)
    order, _ = rows.unique_order()
    for row in range(len(rows)):
        own = order[(rows.coin[order] == rows.coin[row]) & (rows.timestamp[order] <= rows.timestamp[row])]
        part = build(rows.take(own[-spec.history_needed() :]), spec)
        assert same_bits(part[-1], whole[row])


@given(coin_rows(), specs, st.integers(0, 29))
def test_features_when_later_rows_are_cut_off_then_unchanged(rows: CoinRows, spec: FeatureSpec, at: int) -> None:
    until = rows.timestamp <= rows.timestamp[at % len(rows)]
    assert same_bits(build(rows.take(until), spec), build(rows, spec)[until])


@given(coin_rows(), specs)
def test_features_when_other_coins_are_taken_away_then_unchanged(rows: CoinRows, spec: FeatureSpec) -> None:
    whole = build(rows, spec)
    for coin in np.unique(rows.coin):
        own = rows.coin == coin
        assert same_bits(build(rows.take(own), spec), whole[own])


@given(coin_rows(), specs, st.randoms(use_true_random=False))
def test_features_when_rows_come_in_another_order_then_unchanged(
    rows: CoinRows, spec: FeatureSpec, random: object
) -> None:
    order = np.arange(len(rows))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert same_bits(build(rows.take(order), spec), build(rows, spec)[order])


@given(coin_rows(), specs)
def test_features_when_rows_repeat_then_those_of_the_rows_that_count(rows: CoinRows, spec: FeatureSpec) -> None:
    kept, slot = rows.unique_order()
    assert same_bits(build(rows, spec), build(rows.take(kept), spec)[slot])


@given(coin_rows(), specs, st.integers(0, 4))
def test_build_last_when_given_histories_then_bits_of_build(rows: CoinRows, spec: FeatureSpec, spare: int) -> None:
    values, timestamp, count, last = histories(rows, spec, depth=spec.history_needed() + spare)
    assert same_bits(build_last(values, timestamp, count, spec), build(rows, spec)[last])


def test_build_last_when_coins_are_many_and_long_then_bits_of_build() -> None:
    rng = np.random.default_rng(11)
    size, coins = 60_000, 900
    values = {name: rng.lognormal(0, 3, size) * (1e-8 if "price" in name else 1) for name in BASE_FEATURES}
    for column in values.values():
        column[rng.random(size) < 0.002] = np.nan
    rows = CoinRows(
        mints=tuple(map(str, range(coins))),
        coin=rng.integers(0, coins, size),
        timestamp=START + rng.integers(0, 10**10, size),
        id=np.arange(size),
        phase=np.ones(size, np.int64),
        values=values,
    )
    spec = FeatureSpec((*BASE_FEATURES, *(f"{family}_{window}" for family in FAMILY for window in (5, 15, 50))))
    histories_, timestamp, count, last = histories(rows, spec, depth=spec.history_needed())
    found = build_last(histories_, timestamp, count, spec)
    assert same_bits(found, build(rows, spec)[last])
    assert 0.3 < np.isfinite(found).mean() < 1


@pytest.mark.parametrize("wrong", ["depth", "columns", "count 0", "count too high"])
def test_build_last_when_shapes_do_not_fit_then_refused(wrong: str) -> None:
    spec = FeatureSpec(("price_change_2",))
    depth = 2 if wrong == "depth" else 3
    columns = 2 if wrong == "columns" else 1
    count = {"count 0": 0, "count too high": 4}.get(wrong, 2)
    with pytest.raises(ValueError, match=r"count|values|history"):
        build_last(np.ones((1, depth, columns)), np.zeros((1, depth), np.int64), np.array([count]), spec)


def test_build_last_when_there_are_no_coins_then_no_features() -> None:
    spec = FeatureSpec(("price_change_2", "price_close"))
    found = build_last(np.empty((0, 3, 1)), np.empty((0, 3), np.int64), np.empty(0, np.int64), spec)
    assert found.shape == (0, 2)


def test_missing_column_when_all_null_then_only_its_features_are_missing() -> None:
    rows = one_coin([START, START + 1], price_close=[3e-8, 4e-8])
    found = build(rows, FeatureSpec(("price_change_5", "unique_wallets", "volume_ratio_5")))
    assert np.isnan(found).tolist() == [[False, True, True], [False, True, True]]
