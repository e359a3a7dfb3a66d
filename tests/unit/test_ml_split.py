"""Splitting by time: nothing learnt reaches into what is measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from training_service.ml.split import split_by_time, walk_forward

MINUTE = 60_000_000

ticks = st.lists(st.integers(0, 600), min_size=1, max_size=200).map(lambda minutes: np.array(minutes) * MINUTE)
horizons = st.integers(0, 90).map(lambda minutes: minutes * MINUTE)


@given(ticks, horizons, st.sampled_from([0.05, 0.2, 0.5]))
def test_split_of_any_rows_lets_no_label_reach_into_the_next_part(timestamp, horizon, test_size):
    split = split_by_time(timestamp, test_size=test_size, horizon_us=horizon)

    for earlier, later in (
        (split.fit, split.calibration),
        (split.calibration, split.holdout),
        (split.fit, split.holdout),
    ):
        reaching = timestamp[earlier] + horizon
        assert not (reaching[:, None] >= timestamp[later][None, :]).any()


@given(ticks, horizons)
def test_split_of_any_rows_uses_each_row_once_or_counts_it_as_purged(timestamp, horizon):
    split = split_by_time(timestamp, test_size=0.2, horizon_us=horizon)

    used = np.concatenate([split.fit, split.calibration, split.holdout])
    assert len(np.unique(used)) == len(used)
    assert len(used) + split.purged == len(timestamp)


def test_split_of_even_ticks_holds_out_the_share_asked_for():
    timestamp = np.repeat(np.arange(1000) * MINUTE, 3)

    split = split_by_time(timestamp, test_size=0.2, horizon_us=10 * MINUTE)

    assert len(split.holdout) == 600
    assert split.holdout_us == 799 * MINUTE
    assert len(split.calibration) == pytest.approx(0.2 * 2370, abs=3)
    assert split.purged == 60


def test_split_when_all_rows_share_one_moment_holds_nothing_out():
    split = split_by_time(np.full(50, 7 * MINUTE), test_size=0.2, horizon_us=0)

    assert len(split.holdout) == 0


@given(ticks, horizons, st.integers(2, 8))
def test_walk_forward_of_any_rows_lets_no_label_reach_into_the_fold_that_follows(timestamp, horizon, folds):
    for cut in walk_forward(timestamp, np.arange(len(timestamp)), folds=folds, horizon_us=horizon):
        assert timestamp[cut.before].max() + horizon < timestamp[cut.after].min()


def test_walk_forward_learns_from_more_in_each_fold():
    cuts = walk_forward(np.arange(600) * MINUTE, np.arange(600), folds=5, horizon_us=10 * MINUTE)

    assert [len(cut.before) for cut in cuts] == [90, 190, 290, 390, 490]
    assert [len(cut.after) for cut in cuts] == [100] * 5


def test_walk_forward_of_many_coins_leaves_no_label_that_reaches_over_where_a_gap_in_rows_leaves_thousands():
    """60 coins × 1,500 minutes, a horizon of ten minutes, five folds."""
    timestamp = np.repeat(np.arange(1500), 60) * MINUTE
    horizon = 10 * MINUTE
    rows = np.arange(len(timestamp))

    ours = [(cut.before, cut.after) for cut in walk_forward(timestamp, rows, folds=5, horizon_us=horizon)]
    by_rows = list(TimeSeriesSplit(n_splits=5, gap=10).split(rows))

    assert len(ours) == len(by_rows) == 5
    assert [_reaching(timestamp, *fold, horizon) for fold in ours] == [0] * 5
    assert sum(_reaching(timestamp, *fold, horizon) for fold in by_rows) == 2950
    # The price: ten minutes of 60 coins a fold.
    assert [len(by_rows[fold][0]) - len(ours[fold][0]) for fold in range(5)] == [590] * 5


def _reaching(timestamp, before, after, horizon):
    return int((timestamp[before] + horizon >= timestamp[after].min()).sum())
