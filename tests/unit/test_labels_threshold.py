"""The threshold a user is told when every row has the same label."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.labels import Labels, RuleTarget, TimeTarget, label, nearest_threshold
from tests.support.market_rows import AMOUNTS, PRICES, coin_rows

nan = math.nan


def rise(**changes: object) -> TimeTarget:
    settings = {"target_var": "price_close", "future_minutes": 10, "min_percent_change": 30.0} | changes
    return TimeTarget(**settings)


def measured(values: list[float]) -> Labels:
    measure = np.array(values)
    return Labels(
        values=np.where(np.isnan(measure), nan, 0.0),
        recording=measure,
        change_pct=measure,
        measure=measure,
        observed=np.ones(len(values), np.bool_),
        unresolved_reason=np.zeros(len(values), np.int8),
    )


@pytest.mark.parametrize(
    ("target", "measures", "expected"),
    [
        (rise(min_percent_change=30.0), [1, 5, 12.5, nan], 12.5),
        (rise(min_percent_change=30.0), [40, 31, 90, nan], 40),
        (rise(min_percent_change=30.0), [-4, -1], None),
        (rise(min_percent_change=30.0), [7, 7], None),
        (rise(min_percent_change=30.0, direction="down"), [3, -11, -20], 20),
        (rise(), [nan], None),
        (RuleTarget(target_var="num_buys", operator=">", target_value=9), [1, 2, 4], 2),
        (RuleTarget(target_var="num_buys", operator=">", target_value=0), [1, 2, 4], 1),
        (RuleTarget(target_var="num_buys", operator="<=", target_value=9), [1, 2, 4], 2),
        (RuleTarget(target_var="num_buys", operator="<", target_value=9), [1, 2, 4], 4),
        (RuleTarget(target_var="num_buys", operator="=", target_value=9), [1, 2, 4], 4),
        (RuleTarget(target_var="num_buys", operator=">=", target_value=9), [3, 3], None),
    ],
)
def test_nearest_threshold_when_one_class_only_then_one_that_splits(
    target: TimeTarget | RuleTarget, measures: list[float], expected: float | None
) -> None:
    assert nearest_threshold(measured(measures), target) == expected


@given(st.data())
def test_nearest_threshold_when_told_then_it_gives_both_classes(data: st.DataObject) -> None:
    rows = data.draw(coin_rows(columns=("price_close", "volume_sol", "bonding_curve_pct")))
    kind = data.draw(st.sampled_from(["up", "down", ">", ">=", "<", "<=", "="]))

    def target(threshold: float) -> TimeTarget | RuleTarget:
        if kind in ("up", "down"):
            return rise(direction=kind, min_percent_change=threshold, future_minutes=1)
        return RuleTarget(target_var="volume_sol", operator=kind, target_value=threshold)

    def classes(asked: TimeTarget | RuleTarget) -> tuple[Labels, set[float]]:
        found = label(rows, asked, clock=int(rows.timestamp.max()), untracked_phases=frozenset({99}))
        return found, set(found.values[~np.isnan(found.values)])

    asked = target(data.draw(st.sampled_from([amount for amount in PRICES + AMOUNTS if 0 < amount < math.inf])))
    found, _ = classes(asked)
    nearest = nearest_threshold(found, asked)
    if nearest is None:
        assert len(set(found.measure[~np.isnan(found.measure)].tolist())) < 2 or kind in ("up", "down")
    else:
        assert classes(target(nearest))[1] == {0.0, 1.0}
