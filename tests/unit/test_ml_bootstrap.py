"""How sure a mean is."""

import numpy as np
import pytest

from training_service.ml.bootstrap import block_numbers, block_weights, mean_interval

MINUTE = 60_000_000
HORIZON = 10


def bursts(seed, *, hours=24):
    """Give values that look one horizon ahead into a common market, at random minutes; their true mean is 0."""
    random = np.random.default_rng(seed)
    market = np.cumsum(random.normal(0, 1, hours * 60 + HORIZON + 1))
    minute = np.sort(random.integers(0, hours * 60, 400))
    values = (market[minute + HORIZON] - market[minute]) / HORIZON**0.5 + random.normal(0, 0.3, 400)
    return values, minute * MINUTE


def test_interval_of_values_that_follow_a_common_market_holds_the_truth_about_as_often_as_promised():
    held = 0
    for seed in range(200):
        values, timestamp = bursts(seed)
        found = mean_interval(values, timestamp, np.arange(len(values)), horizon_us=HORIZON * MINUTE, random_state=seed)
        held += found.low <= 0 <= found.high
    # Values taken for independent would hold it in about 110 of 200.
    assert 178 <= held <= 200


def test_interval_does_not_depend_on_the_order_of_the_rows_and_is_the_same_every_time():
    values, timestamp = bursts(3)
    coin = np.arange(len(values)) % 40
    turned = np.random.default_rng(0).permutation(len(values))

    found = mean_interval(values, timestamp, coin, horizon_us=HORIZON * MINUTE, random_state=7)

    other = mean_interval(values[turned], timestamp[turned], coin[turned], horizon_us=HORIZON * MINUTE, random_state=7)
    assert (found.low, found.high) == pytest.approx((other.low, other.high))
    assert found == mean_interval(values, timestamp, coin, horizon_us=HORIZON * MINUTE, random_state=7)


def test_interval_of_too_few_blocks_has_no_bounds_and_says_how_many_there_are():
    found = mean_interval(np.ones(50), np.arange(50) * MINUTE, np.arange(50), horizon_us=10 * MINUTE, random_state=1)

    assert (found.low, found.high, found.blocks) == (None, None, 3)
    assert found.reason == "50 values lie in 3 stretches of 20 minutes; an interval needs values in 10 of them"


def coins_that_differ(seed, *, coins=60, hours=24):
    """Give values at random minutes, each with what is its coin's own; their true mean is 0."""
    random = np.random.default_rng(seed)
    coin = np.repeat(np.arange(coins), random.integers(1, 20, coins))
    minute = random.integers(0, hours * 60, len(coin))
    return random.normal(0, 1, coins)[coin] + random.normal(0, 0.5, len(coin)), minute * MINUTE, coin


def test_interval_of_values_that_belong_to_coins_holds_the_truth_about_as_often_as_promised():
    held = 0
    for seed in range(200):
        values, timestamp, coin = coins_that_differ(seed)
        found = mean_interval(values, timestamp, coin, horizon_us=HORIZON * MINUTE, random_state=seed)
        held += found.low <= 0 <= found.high
    # Blocks of time alone hold it in about 115 of 200.
    assert 178 <= held <= 200


def test_interval_of_too_few_coins_has_no_bounds_and_says_how_many_there_are():
    values, timestamp = bursts(3)

    found = mean_interval(values, timestamp, np.arange(len(values)) % 9, horizon_us=HORIZON * MINUTE, random_state=1)

    assert (found.low, found.high) == (None, None)
    assert found.reason == "400 values are of 9 coins; an interval needs those of 10"


def test_weights_of_blocks_give_the_sums_of_drawing_blocks_one_by_one():
    values, number = np.arange(12.0), block_numbers(np.arange(12), block_us=3)
    weights = block_weights(4, rounds=500, random_state=2)

    sums = weights @ np.bincount(number, weights=values)

    assert set(weights.sum(axis=1)) == {4}
    for drawn, total in zip(weights[:20], sums[:20], strict=True):
        assert total == sum(values[number == block].sum() * times for block, times in enumerate(drawn))
    assert sums.mean() == pytest.approx(values.sum(), rel=0.05)
