"""The threshold with which a model could be made instead."""

import operator as compare

import numpy as np
import pytest

from shared.labels import Labels, RuleTarget, TimeTarget
from tests.support.market_rows import MINUTE, START
from training_service.ml.nearest import ENOUGH_TO_CALIBRATE, ENOUGH_TO_FIT, workable_threshold
from training_service.ml.split import split_by_time

ROWS = 1000
PASSES = {">": compare.gt, ">=": compare.ge, "<": compare.lt, "<=": compare.le, "=": compare.eq}


def labels(measure):
    return Labels(
        values=np.zeros(len(measure)), recording=np.zeros(len(measure)), change_pct=measure, measure=measure,
        observed=np.ones(len(measure), np.bool_), unresolved_reason=np.zeros(len(measure), np.int8),
    )  # fmt: skip


def times():
    return START + np.arange(ROWS) * MINUTE


def enough(measure, passes, horizon_us):
    split = split_by_time(times(), test_size=0.2, horizon_us=horizon_us)
    return all(
        number <= passes(measure[part]).sum() <= len(part) - number
        for part, number in ((split.fit, ENOUGH_TO_FIT), (split.calibration, ENOUGH_TO_CALIBRATE))
    )


@pytest.mark.parametrize("sign", list(PASSES))
@pytest.mark.parametrize("asked", [-50.0, 80.0])
def test_the_threshold_of_a_rule_leaves_enough_of_both_and_no_nearer_one_does(sign, asked):
    measure = np.round(np.random.default_rng(3).normal(10, 4, ROWS))
    rule = RuleTarget(target_var="volume_sol", operator=sign, target_value=asked)

    found = workable_threshold(labels(measure), rule, np.arange(ROWS), times(), test_size=0.2)

    assert enough(measure, lambda rows: PASSES[sign](rows, found), 0)
    nearer = [value for value in np.unique(measure) if abs(value - asked) < abs(found - asked)]
    assert nearer
    assert not any(enough(measure, lambda rows, other=value: PASSES[sign](rows, other), 0) for value in nearer)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_threshold_of_a_horizon_counts_rises_or_falls(direction):
    measure = np.random.default_rng(3).normal(0, 10, ROWS)
    target = TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=500, direction=direction)

    found = workable_threshold(labels(measure), target, np.arange(ROWS), times(), test_size=0.2)

    moved = measure if direction == "up" else -measure
    assert found > 0
    assert enough(moved, lambda rows: rows >= found, target.horizon)


def test_where_the_values_change_too_seldom_there_is_none():
    measure = np.zeros(ROWS)
    measure[::100] = 7.0
    target = RuleTarget(target_var="volume_sol", operator=">", target_value=9)

    assert workable_threshold(labels(measure), target, np.arange(ROWS), times(), test_size=0.2) is None
