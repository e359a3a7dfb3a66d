"""What the rows of a model look like."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.datasets import dataset
from tests.support.market_rows import MINUTE, START
from training_service.ml.periods import cut_periods
from training_service.ml.profile import profile, profile_feature


@given(arrays.arrays(np.float32, st.integers(1, 80), elements=st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))))
def test_profile_of_any_feature_agrees_with_numpy_and_counts_every_row(values):
    found = profile_feature(values)

    known = values[~np.isnan(values)].astype(np.float64)
    assert found.missing_share == pytest.approx(np.isnan(values).mean())
    assert sum(found.counts) == len(known)
    assert len(found.edges) == (len(found.counts) + 1 if found.counts else 0)
    if len(known):
        assert (found.min, found.max) == (known.min(), known.max())
        assert found.mean == pytest.approx(known.mean(), rel=1e-6, abs=1e-6)
        assert found.std == pytest.approx(known.std(), rel=1e-5, abs=1e-3)
        quantiles = [found.q01, found.q25, found.median, found.q75, found.q99]
        assert quantiles == pytest.approx(np.quantile(known, [0.01, 0.25, 0.5, 0.75, 0.99]).tolist())
    else:
        assert (found.mean, found.median, found.edges) == (None, None, ())


def test_profile_of_more_rows_than_are_sorted_has_exact_moments_and_near_quantiles():
    values = np.random.default_rng(1).normal(size=300_000).astype(np.float32)
    values[::10] = np.nan

    found = profile(dataset(values, np.arange(300_000) % 2))

    feature = found.features["volume_sol"]
    assert found.sampled_rows == 100_000
    assert feature.missing_share == 0.1
    assert feature.mean == pytest.approx(np.nanmean(values.astype(np.float64)))
    assert feature.max == np.nanmax(values)
    assert feature.median == pytest.approx(0, abs=0.02)
    assert feature.q99 == pytest.approx(2.326, abs=0.05)


def test_profile_tells_rows_coins_and_base_rate_of_each_stretch_and_phase():
    data = dataset(np.zeros(180), np.arange(180) < 60)
    data = replace(data, coin=np.arange(180) % 3, rows=replace(data.rows, phase=np.where(np.arange(180) < 45, 1, -1)))

    found = profile(data)

    assert found.coins == 3
    assert sum(period.rows for period in found.periods) == 180
    assert {period.minutes for period in found.periods} == {5}
    assert {period.coins for period in found.periods} == {3}
    assert found.periods[0].base_rate == 1
    assert found.periods[-1].base_rate == 0
    assert [(part.phase, part.rows, part.base_rate) for part in found.phases] == [(None, 135, 1 / 9), (1, 45, 1.0)]
    assert found.readings["base_rate"] == pytest.approx(1 / 3)


@given(st.lists(st.integers(0, 500_000), min_size=1, max_size=50))
def test_periods_of_any_times_are_round_few_and_hold_every_row_once(minutes):
    timestamp = START + np.array(minutes) * MINUTE

    periods = cut_periods(timestamp)

    assert 1 <= len(periods) <= 48
    assert sorted(np.concatenate(periods.rows()).tolist()) == list(range(len(minutes)))
    for number, rows in enumerate(periods.rows()):
        start = periods.start_us[number]
        assert start % (periods.minutes * MINUTE) == 0
        assert ((timestamp[rows] >= start) & (timestamp[rows] < start + periods.minutes * MINUTE)).all()
