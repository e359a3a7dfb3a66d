"""Laws of paper trading: what holds for every account, price and order of events."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prediction_service.runtime.paper import HOUR, Candle, Position, Rules, exit_at_price, exit_in_candle, settle
from prediction_service.runtime.paper_account import (
    Account,
    Step,
    close_position,
    mark_candle,
    mark_price,
    open_position,
    take_signal,
)
from prediction_service.runtime.paper_figures import NOTHING, figures
from shared.errors import Invalid

MARKETS = ("BTCUSDT", "SOLUSDT")
prices = st.floats(1e-9, 1e6)
rules = st.builds(
    Rules,
    leverage=st.floats(1, 125),
    size_pct=st.floats(0.1, 100),
    min_size_usdt=st.floats(0, 50),
    max_positions=st.integers(1, 8),
    max_exposure_pct=st.floats(0.1, 100),
    take_profit_pct=st.floats(0.01, 500),
    stop_loss_pct=st.floats(0.01, 100),
    max_hours=st.floats(0.1, 100),
    fee_pct=st.floats(0, 5),
)
events = st.lists(
    st.tuples(
        st.sampled_from(["LONG", "SHORT", "FLAT", "PRICE", "CANDLE", "CLOSE"]),
        st.sampled_from(MARKETS),
        st.floats(0.7, 1.4),
        st.floats(0, 100),
        st.integers(0, 30 * HOUR),
    ),
    max_size=40,
)


def position(side: str = "LONG", **changed: object) -> Position:
    made = Position(
        symbol="X", side="LONG", size_usdt=200.0, leverage=7.0, entry_price=100.0, current_price=100.0,
        take_profit_pct=5.0, stop_loss_pct=3.0, fees=0.2, opened_at=0, expires_at=48 * HOUR,
    )  # fmt: skip
    return replace(made, side=side, **changed)  # type: ignore[arg-type]


def tell(account: Account, kind: str, market: str, price: float, confidence: float, at: int) -> Step:
    if kind == "PRICE":
        return mark_price(account, symbol=market, price=price, at=at)
    if kind == "CANDLE":
        candle = Candle(open=price, high=price * 1.01, low=price * 0.99, close=price, open_at=at, close_at=at)
        return mark_candle(account, candle, symbol=market, clock=at)
    if kind == "CLOSE":
        if not account.positions:
            return Step(account=account)
        return close_position(account, account.positions[0], price=price, reason="MANUAL", at=at)
    return take_signal(account, symbol=market, signal=kind, confidence=confidence, price=price, at=at)  # type: ignore[arg-type]


@given(rules, events)
def test_books_when_anything_happens_then_they_balance_and_no_opening_passes_a_limit(chosen: Rules, told: list):
    account, at, price = Account(rules=chosen), 0, dict.fromkeys(MARKETS, 100.0)
    pnls = []
    for kind, market, change, confidence, later in told:
        at += later
        price[market] *= change
        untouched = [one for one in account.positions if one.symbol != market]
        step = tell(account, kind, market, price[market], confidence, at)
        pnls += [closed.pnl for closed in step.closed]
        account = step.account
        if kind != "CLOSE":
            assert [one for one in account.positions if one.symbol != market] == untouched
        assert account.balance == pytest.approx(
            10_000 + math.fsum(pnls) - math.fsum(one.fees for one in account.positions), abs=1e-6
        )
        assert account.equity == pytest.approx(
            account.balance + sum(one.size_usdt * one.direction * (one.current_price / one.entry_price - 1)
                                  for one in account.positions), abs=1e-6
        )  # fmt: skip
        if step.opened is not None:
            before = account.equity + step.opened.fees
            assert len(account.positions) <= chosen.max_positions
            assert account.exposure <= chosen.max_exposure_pct / 100 * before * (1 + 1e-6)
            assert step.opened.size_usdt >= chosen.min_size_usdt * (1 - 1e-6)
            assert confidence >= chosen.min_confidence
            assert step.opened.side == kind
            assert not any(one.side != kind and one.symbol == market for one in account.positions)


@given(st.sampled_from(["LONG", "SHORT"]), st.floats(1, 125), st.floats(1, 125), prices)
def test_profit_when_leverage_changes_then_it_stays_and_the_margin_does_not(
    side: str, one: float, other: float, price: float
):
    first, second = (position(side, leverage=leverage, current_price=price) for leverage in (one, other))
    assert first.unrealised_pnl == second.unrealised_pnl
    assert settle(first, price) == settle(second, price)
    assert first.margin * one == pytest.approx(second.margin * other)
    assert first.margin_return_pct / one == pytest.approx(second.margin_return_pct / other)


@given(st.sampled_from(["LONG", "SHORT"]), st.floats(1, 125), st.floats(0.01, 100), st.floats(0.01, 500))
def test_levels_when_a_price_is_there_then_the_position_ends_and_a_hair_before_it_does_not(
    side: str, leverage: float, stop: float, profit: float
):
    held = position(side, leverage=leverage, stop_loss_pct=stop, take_profit_pct=profit)
    for level, reason in ((held.stop_loss_price, "SL"), (held.take_profit_price, "TP")):
        if level > 0:
            ended = exit_at_price(held, level, 0)
            assert ended is not None
            assert ended.reason == reason
            inside = level + (100.0 - level) * 1e-3
            assert exit_at_price(held, inside, 0) is None


@given(st.sampled_from(["LONG", "SHORT"]), st.lists(st.floats(90, 110), min_size=4, max_size=4), st.booleans())
def test_candle_when_a_position_ends_in_it_then_at_a_price_it_had_and_never_better_than_the_path_allows(
    side: str, told: list[float], first_up: bool
):
    first, last = told[0], told[3]
    candle = Candle(open=first, high=max(told), low=min(told), close=last, open_at=0, close_at=HOUR)
    held = position(side)
    ended = exit_in_candle(held, candle)
    path = [first, *((candle.high, candle.low) if first_up else (candle.low, candle.high)), last]
    along = next((found for price in path if (found := exit_at_price(held, price, 0))), None)
    assert (ended is None) == (along is None)
    if ended is not None and along is not None:
        assert candle.low <= ended.price <= candle.high
        # Whatever way the price took, it did not do worse than is supposed, but for a jump between two told prices.
        assert ended.reason in ("SL", along.reason)


def test_candle_when_time_has_run_out_then_at_its_open_or_at_its_close():
    held = position(expires_at=2 * HOUR)
    quiet = Candle(open=100.1, high=100.3, low=99.9, close=100.2, open_at=0, close_at=0)
    found = [
        exit_in_candle(held, replace(quiet, open_at=start * HOUR, close_at=(start + 1) * HOUR)) for start in range(3)
    ]
    assert [(one.price, one.reason) if one else None for one in found] == [
        None, (100.2, "EXPIRED"), (100.1, "EXPIRED"),
    ]  # fmt: skip


@pytest.mark.parametrize(("price", "entry"), [(1e15, 1e-15), (1e12, 1e-3)])
def test_price_when_nobody_can_believe_it_then_it_is_refused_and_nothing_overflows(price: float, entry: float):
    step = open_position(Account(), symbol="X", side="LONG", price=entry, at=0)
    for told in (
        lambda: mark_price(step.account, symbol="X", price=price, at=1),
        lambda: close_position(step.account, step.account.positions[0], price=price, reason="MANUAL", at=1),
    ):
        with pytest.raises(Invalid, match="check the price"):
            told()


def test_account_when_its_equity_is_gone_then_nothing_opens():
    lost = mark_price(
        open_position(Account(rules=Rules(max_exposure_pct=100.0)), symbol="X", side="SHORT", price=1.0, at=0).account,
        symbol="X", price=60.0, at=1,
    ).account  # fmt: skip
    assert lost.equity < 0
    refused = open_position(lost, symbol="X", side="LONG", price=1.0, at=2)
    assert (refused.opened, refused.refusal and refused.refusal.rule) == (None, "max_exposure_pct")


def test_figures_when_there_are_no_trades_or_no_losses_then_what_is_not_known_is_none():
    nothing = figures([])
    assert (nothing.win_rate, nothing.profit_factor, nothing.sharpe_per_trade) == (None, None, None)
    won = figures([replace(NOTHING, trades=1, wins=1, pnl=2.0, won=2.0)])
    assert (won.win_rate, won.profit_factor, won.average_loss, won.sharpe_per_trade) == (1.0, None, None, None)
