"""The simulated market of candles: the same seed, the same candles, and none that could not be."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pumpcast.market.candle_rows import check_candles
from pumpcast.market.candles import simulate_candles
from shared.errors import Invalid

START = datetime(2025, 1, 1, tzinfo=UTC)


@settings(max_examples=30, deadline=None)
@given(
    seed=some.integers(0, 2**32),
    bars=some.integers(1, 400),
    shorter=some.integers(1, 400),
    length=some.sampled_from([60, 900, 3600]),
    price=some.sampled_from([3e-8, 100.0, 65_000.0]),
)
def test_candles_when_simulated_then_each_can_be_and_a_longer_run_begins_with_the_shorter(
    seed: int, bars: int, shorter: int, length: int, price: float
):
    table = simulate_candles(seed, START, bars, length, first_price=price)
    check_candles({name: table[name].combine_chunks() for name in table.column_names}, "simulated")
    closes, opens = table["close"].to_numpy(), table["open"].to_numpy()
    assert (opens[1:] == closes[:-1]).all()
    assert opens[0] == pytest.approx(price, rel=1e-4)
    times = table["open_time"].cast("int64").to_numpy()
    assert (np.diff(times) == length * 1_000_000).all()
    both = min(bars, shorter)
    assert simulate_candles(seed, START, both, length, first_price=price).equals(table.slice(0, both))


def test_candles_when_simulated_then_wild_times_cluster_and_the_price_neither_vanishes_nor_explodes():
    for seed in range(3):
        closes = simulate_candles(seed, START, 20_000)["close"].to_numpy()
        assert 20 < closes.min() < closes.max() < 500
        returns = np.diff(np.log(closes))
        sizes = np.abs(returns)
        assert np.corrcoef(sizes[1:], sizes[:-1])[0, 1] > 0.2
        assert (returns**4).mean() / (returns**2).mean() ** 2 > 4
        assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("start", "bars"),
    [(START.replace(tzinfo=None), 10), (START.replace(minute=7), 10), (START, 0)],
)
def test_candles_when_they_cannot_be_simulated_then_says_why(start: datetime, bars: int):
    with pytest.raises(Invalid, match=r"start|bars"):
        simulate_candles(1, start, bars)
