"""Labels of a part of a coin's rows, told what lies outside of it; how far a value went within the horizon."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.coin_metrics.rows import CoinRows
from shared.labels import NEVER, TimeTarget, label, reach
from tests.support.market_rows import MINUTE, START, coin_rows

COLUMNS = ("price_close", "bonding_curve_pct")
FINISHED = frozenset({99, 100})
TARGETS = st.builds(
    TimeTarget,
    target_var=st.just("price_close"),
    future_minutes=st.sampled_from([1, 10, 400]),
    min_percent_change=st.sampled_from([5.0, 30.0]),
    direction=st.sampled_from(["up", "down"]),
    label_mode=st.sampled_from(["at_horizon", "within_horizon"]),
    label_resolution=st.sampled_from(["recording", "observed"]),
)


def ends(rows: CoinRows, at: np.ndarray) -> np.ndarray:
    """Give for each coin the first time before `at` of a row that shows it as left."""
    left = np.full(len(rows.mints), NEVER)
    shown = np.isin(rows.phase, [99, 100]) | (rows.values["bonding_curve_pct"] >= 99.5)
    for row in np.flatnonzero(shown & (rows.timestamp < at)):
        left[rows.coin[row]] = min(left[rows.coin[row]], rows.timestamp[row])
    return left


@given(rows=coin_rows(columns=COLUMNS), target=TARGETS, data=st.data())
@settings(max_examples=200, deadline=None)
def test_labels_of_a_part_when_told_what_lies_outside_then_they_are_those_of_the_whole(
    rows: CoinRows, target: TimeTarget, data: st.DataObject
):
    rows = rows.deduplicated()
    rows.values["bonding_curve_pct"][np.isinf(rows.values["bonding_curve_pct"])] = np.nan
    clock = int(rows.timestamp.max())
    whole = label(rows, target, clock=clock, untracked_phases=FINISHED)
    start = data.draw(st.sampled_from(rows.timestamp.tolist()))
    until = data.draw(st.sampled_from(rows.timestamp.tolist()))
    seen = np.zeros(len(rows.mints), np.int64)
    np.maximum.at(seen, rows.coin, rows.timestamp)
    part = (rows.timestamp >= start) & (rows.timestamp <= until + target.horizon)
    found = label(
        rows.take(part), target, clock=clock, untracked_phases=FINISHED, last_seen=seen, left_at=ends(rows, start)
    )
    # Beyond `until` the rows do not reach to the horizon.
    asked = rows.timestamp[part] <= until
    for name in ("values", "change_pct", "unresolved_reason"):
        np.testing.assert_array_equal(getattr(found, name)[asked], getattr(whole, name)[part][asked])


@given(rows=coin_rows(columns=COLUMNS), target=TARGETS)
@settings(max_examples=100, deadline=None)
def test_reach_when_each_row_is_looked_at_alone_then_the_same(rows: CoinRows, target: TimeTarget):
    rows = rows.deduplicated()
    highest, lowest = reach(rows, target)
    prices = rows.values["price_close"]
    for at in range(len(rows)):
        gap = rows.timestamp - rows.timestamp[at]
        later = prices[(rows.coin == rows.coin[at]) & (gap > 0) & (gap <= target.horizon)]
        later = later[np.isfinite(later) & (later > 0)]
        now = prices[at]
        if not len(later) or not (0 < now < np.inf):
            assert np.isnan(highest[at])
            assert np.isnan(lowest[at])
            continue
        changes = (later / now - 1) * 100
        assert (highest[at], lowest[at]) == pytest.approx((changes.max(), changes.min()), rel=1e-9, abs=1e-8)


def test_labels_when_a_coin_left_before_its_rows_then_none_is_resolved_and_others_are():
    rows = CoinRows(
        mints=("gone", "there"),
        coin=np.array([0, 0, 1, 1]),
        timestamp=START + np.array([0, 1, 0, 1]) * MINUTE,
        id=np.arange(4),
        phase=np.ones(4, np.int64),
        values={"price_close": np.array([1.0, 2.0, 1.0, 2.0]), "bonding_curve_pct": np.full(4, np.nan)},
    )
    target = TimeTarget(target_var="price_close", future_minutes=1, min_percent_change=30, label_mode="within_horizon")
    found = label(
        rows, target, clock=START + MINUTE, untracked_phases=FINISHED, left_at=np.array([START - MINUTE, NEVER])
    )
    np.testing.assert_array_equal(found.values, [np.nan, np.nan, 1.0, np.nan])
