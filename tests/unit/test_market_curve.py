import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pumpcast.market import bonding_curve

RESERVES = st.floats(30, 115)


@given(RESERVES, st.floats(0, 200))
def test_buy_when_anything_is_spent_then_raises_the_price_and_stops_at_graduation(reserves: float, spent: float):
    after = bonding_curve.buy(np.array([reserves]), np.array([spent]))
    assert reserves <= after[0] <= 115
    assert bonding_curve.price(after)[0] >= bonding_curve.price(np.array([reserves]))[0]


@given(RESERVES, st.floats(0, 2e9))
def test_sell_when_more_is_offered_than_was_handed_out_then_never_empties_the_curve(reserves: float, tokens: float):
    after = bonding_curve.sell(np.array([reserves]), np.array([tokens]))[0]
    assert 30 * (1 - 1e-9) <= after <= reserves * (1 + 1e-9)


@given(st.floats(30, 100), st.floats(0.001, 10))
def test_round_trip_when_all_bought_tokens_are_sold_then_loses_exactly_the_fees(reserves: float, spent: float):
    start = np.array([reserves])
    bought = bonding_curve.buy(start, np.array([spent]))
    tokens = bonding_curve.tokens_sold(bought) - bonding_curve.tokens_sold(start)
    received = (bought - bonding_curve.sell(bought, tokens)) * (1 - bonding_curve.FEE)
    np.testing.assert_allclose(received, spent * 0.99 * 0.99, rtol=1e-5)


def test_percent_when_85_sol_were_raised_then_is_100():
    assert bonding_curve.percent(np.array([30.0, 115.0])).tolist() == [0.0, 100.0]
