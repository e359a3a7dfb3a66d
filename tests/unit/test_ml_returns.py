"""What acting on alerts would have brought."""

import numpy as np
import pytest

from shared.labels import RuleTarget, TimeTarget
from training_service.ml.returns import expected_value_pct, trade_return_pct

UP = TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=10)
NOTHING = {"fee_pct": 0.0, "slippage_pct": 0.0, "trade_size_sol": 0.5}


def walk_the_curve(change_pct, reserves, size, fee_pct):
    """Buy on the curve x · y = k, let others move it, sell on it: step by step with real token amounts."""
    k = 30 * 1.073e9
    spent = size * (1 - fee_pct / 100)
    bought = k / reserves - k / (reserves + spent)
    later = reserves * (1 + change_pct / 100) ** 0.5
    out = later - k / (k / later + bought)
    return (out * (1 - fee_pct / 100) / size - 1) * 100


@pytest.mark.parametrize("change", [-90.0, -5.0, 0.0, 30.0, 400.0])
@pytest.mark.parametrize(("size", "fee"), [(0.01, 0.0), (0.5, 1.0), (5.0, 2.5)])
def test_return_on_the_curve_equals_trading_step_by_step(change, size, fee):
    found = trade_return_pct(np.array([change]), np.array([42.0]), fee_pct=fee, slippage_pct=None, trade_size_sol=size)

    assert found[0] == pytest.approx(walk_the_curve(change, 42.0, size, fee), abs=1e-6)


def test_return_without_costs_is_the_change_itself():
    assert trade_return_pct(np.array([30.0]), np.array([30.0]), **NOTHING)[0] == pytest.approx(30)


def test_return_where_the_reserves_are_missing_takes_those_of_a_new_coin():
    costs = {"fee_pct": 1.0, "slippage_pct": None, "trade_size_sol": 0.5}
    unknown = trade_return_pct(np.array([10.0, 10.0]), np.array([np.nan, 0.0]), **costs)

    np.testing.assert_array_equal(unknown, trade_return_pct(np.array([10.0, 10.0]), np.array([30.0, 30.0]), **costs))


def test_expected_value_counts_alerts_with_a_known_change_only():
    value = expected_value_pct(
        np.array([True, True, True, False]),
        np.array([10.0, -4.0, np.nan, 999.0]),
        np.full(4, 30.0),
        target=UP,
        **NOTHING,
    )

    assert value == pytest.approx(3)


@pytest.mark.parametrize(
    "target",
    [
        RuleTarget(target_var="price_close", operator=">", target_value=1.0),
        TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=10, direction="down"),
        TimeTarget(target_var="volume_sol", future_minutes=5, min_percent_change=10),
    ],
)
def test_expected_value_of_a_question_that_no_purchase_answers_is_none(target):
    assert expected_value_pct(np.array([True]), np.array([10.0]), np.array([30.0]), target=target, **NOTHING) is None


def test_expected_value_without_alerts_is_none():
    assert expected_value_pct(np.array([False]), np.array([1.0]), np.array([30.0]), target=UP, **NOTHING) is None
