"""What acting on alerts would have brought."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.labels import RuleTarget, TimeTarget
from training_service.ml.returns import Costs, Outcomes, earn, free_positions, returns_of, trade_return_pct

UP = TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=10)
NOTHING = {"fee_pct": 0.0, "slippage_pct": 0.0, "trade_size_sol": 0.5}
MINUTE = 60_000_000


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


def test_return_of_a_coin_that_fell_to_nothing_is_the_whole_stake():
    found = trade_return_pct(
        np.array([-100.0, np.nan]), np.full(2, 30.0), fee_pct=1.0, slippage_pct=None, trade_size_sol=0.5
    )

    np.testing.assert_array_equal(found, [-100.0, np.nan])


def earned(
    alerts, returns, minutes, coins, *, observed=None, horizon=5, days=1.0, size=0.5, reserves=30.0, slippage_pct=None
):
    outcomes = Outcomes(
        returns_pct=np.array(returns), timestamp=np.array(minutes) * MINUTE, coin=np.array(coins),
        reserves_sol=np.broadcast_to(np.array(reserves), len(alerts)),
        observed=np.ones(len(alerts), np.bool_) if observed is None else np.array(observed),
    )  # fmt: skip
    return earn(
        np.array(alerts), outcomes, horizon_us=horizon * MINUTE, days=days, random_state=1,
        costs=Costs(fee_pct=1.0, slippage_pct=slippage_pct, trade_size_sol=size),
    )  # fmt: skip


def test_earnings_count_alerts_with_a_known_outcome_only():
    money = earned([True, True, True, False], [10.0, -4.0, np.nan, 999.0], [0, 1, 2, 3], [0, 1, 2, 3], days=2.0)

    every = money.every_alert
    assert (every.trades, every.mean_pct, every.median_pct, every.share_positive) == (2, 3, 3, 0.5)
    assert (every.worst_pct, every.best_pct) == (-4, 10)
    assert (every.total_sol, every.per_day_sol) == (pytest.approx(0.03), pytest.approx(0.015))
    assert money.alerts_without_outcome == 1


def test_earnings_of_coins_that_fell_silent_count_and_are_told_apart():
    money = earned(
        [True, True, True, True, False], [10.0, -40.0, np.nan, -60.0, -99.0], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4],
        observed=[True, False, False, False, False],
    )  # fmt: skip

    assert (money.every_alert.trades, money.every_alert.mean_pct) == (3, -30)
    assert (money.seen_again.trades, money.seen_again.mean_pct) == (1, 10)
    assert (money.silent_alerts, money.alerts_without_outcome) == (2, 1)


@pytest.mark.parametrize(("slippage_pct", "assumed"), [(None, 2), (0.5, 0)])
def test_earnings_count_the_trades_whose_slippage_is_assumed(slippage_pct, assumed):
    money = earned(
        [True, True, True, True, False], [10.0, -40.0, np.nan, 5.0, 1.0], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4],
        reserves=[np.nan, 0.0, np.nan, 40.0, np.nan], slippage_pct=slippage_pct,
    )  # fmt: skip

    assert (money.every_alert.trades, money.assumed_reserves) == (3, assumed)


def test_earnings_of_few_moments_have_no_interval_and_say_why():
    every = earned([True, True], [10.0, -4.0], [0, 1], [0, 1]).every_alert

    assert (every.low_pct, every.high_pct) == (None, None)
    assert every.interval_note == ("2 values lie in 1 stretches of 10 minutes; an interval needs values in 10 of them")


def test_earnings_interval_holds_the_mean_and_is_wider_when_alerts_come_in_bursts():
    random = np.random.default_rng(1)
    moment = random.normal(0, 10, 60)
    minutes = np.repeat(np.arange(60) * 30, 20)
    coins = np.arange(1200)
    alike = earned(np.full(1200, True), np.repeat(moment, 20), minutes, coins).every_alert
    apart = earned(np.full(1200, True), random.normal(0, 10, 1200), minutes, coins).every_alert

    assert alike.low_pct < alike.mean_pct < alike.high_pct
    assert alike.high_pct - alike.low_pct > 3 * (apart.high_pct - apart.low_pct)


def test_earnings_of_one_position_leave_out_what_a_held_coin_would_have_brought():
    money = earned([True] * 4, [1.0, 2.0, 4.0, 8.0], [0, 4, 5, 4], [0, 0, 0, 1])

    assert money.every_alert.trades == 4
    assert (money.one_position.trades, money.one_position.mean_pct) == (3, pytest.approx(13 / 3))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), unique=True, max_size=60), st.integers(1, 20))
def test_free_positions_of_any_alerts_are_those_of_a_trader_who_waits(alerts, horizon):
    coin = np.array([coin for coin, _ in alerts], np.int64)
    minute = np.array([minute for _, minute in alerts], np.int64)

    found = free_positions(minute, coin, horizon_us=horizon)

    until, expected = {}, np.zeros(len(alerts), np.bool_)
    for at in np.argsort(minute, kind="stable"):
        if minute[at] >= until.get(coin[at], -1):
            until[coin[at]], expected[at] = minute[at] + horizon, True
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "target",
    [
        RuleTarget(target_var="price_close", operator=">", target_value=1.0),
        TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=10, direction="down"),
        TimeTarget(target_var="volume_sol", future_minutes=5, min_percent_change=10),
        TimeTarget(target_var="price_high", future_minutes=5, min_percent_change=10),
        TimeTarget(target_var="price_open", future_minutes=5, min_percent_change=10),
    ],
)
def test_returns_of_a_question_that_no_purchase_answers_are_none(target):
    costs = Costs(**NOTHING)
    assert returns_of(np.array([10.0]), np.array([30.0]), target=target, costs=costs) is None
    assert returns_of(np.array([10.0]), np.array([30.0]), target=UP, costs=costs).round(9).tolist() == [10.0]


def test_earnings_without_alerts_are_nothing():
    every = earned([False], [1.0], [0], [0]).every_alert

    assert (every.trades, every.mean_pct, every.total_sol, every.interval_note) == (0, None, 0.0, "there is no trade")
