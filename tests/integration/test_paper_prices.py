"""Prices and candles told to accounts: take profit, stop, time, the clock of an account."""

from datetime import UTC, datetime, timedelta

import pytest

from prediction_service.store import paper_accounts
from prediction_service.usecases import paper_trading
from prediction_service.usecases.paper_state import account_state
from shared.db import Pool, transaction
from tests.support.paper import add_package, check_books, signal, tell_candle
from tests.support.serving import Api

PAST = datetime(2025, 6, 1, tzinfo=UTC)


def at(minutes: float) -> str:
    return (PAST + timedelta(minutes=minutes)).isoformat()


@pytest.fixture
async def one(api: Api, pool: Pool) -> Api:
    """Give the API with a package that is warm."""
    await add_package(pool)
    return api


LEVELS = [
    ("LONG", 100.72, "TP", 200 * 0.0072 - 0.4),
    ("LONG", 99.5, "SL", -200 * 0.005 - 0.4),
    ("SHORT", 99.2, "TP", 200 * 0.008 - 0.4),
    ("SHORT", 100.43, "SL", -200 * 0.0043 - 0.4),
    # As far as a float tells, exactly at the level.
    ("LONG", 100 * (1 + 0.05 / 7), "TP", 200 * 0.05 / 7 - 0.4),
    ("LONG", 100 * (1 - 0.03 / 7), "SL", -200 * 0.03 / 7 - 0.4),
]


async def test_price_when_it_reaches_a_level_then_the_position_ends_there(one: Api, pool: Pool):
    for side, price, reason, pnl in LEVELS:
        await one.post("/paper/account/one/reset")
        await one.post("/paper/signal", signal(signal=side))
        status, answer = await one.post("/paper/price-update", {"symbol": "BTCUSDT", "price": price})
        assert (status, answer["marked"], answer["skipped"]) == (200, 0, [])
        (closed,) = answer["closed"]
        assert (closed["close_reason"], closed["pnl"], closed["exit_price"]) == (reason, pytest.approx(pnl), price)
        await check_books(pool)


async def test_price_when_of_one_market_then_it_touches_all_its_positions_and_no_other(one: Api, pool: Pool):
    await add_package(pool, "two")
    for model, symbol in (("one", "BTCUSDT"), ("two", "BTCUSDT"), ("two", "SOLUSDT")):
        await one.post("/paper/signal", signal(model_id=model, symbol=symbol))
    _, answer = await one.post("/paper/price-update", {"symbol": "BTCUSDT", "price": 100.5})
    assert (answer["marked"], answer["closed"]) == (2, [])
    _, two = await one.get("/paper/positions/two")
    assert [(held["symbol"], held["unrealised_pnl"]) for held in two["positions"]] == [
        ("SOLUSDT", 0.0), ("BTCUSDT", pytest.approx(1.0)),
    ]  # fmt: skip
    _, account = await one.get("/paper/account/two")
    assert account["equity"] == pytest.approx(account["balance"] + 1.0)
    assert (await one.post("/paper/price-update", {"symbol": "ETHUSDT", "price": 1.0}))[1]["marked"] == 0


async def test_time_when_48_hours_are_over_then_positions_expire_on_the_time_of_the_account(one: Api):
    await one.post("/paper/signal", signal(timestamp=at(0)))
    early = {"symbol": "BTCUSDT", "price": 100.1, "timestamp": at(48 * 60 - 1)}
    assert (await one.post("/paper/price-update", early))[1]["marked"] == 1
    _, answer = await one.post("/paper/price-update", {**early, "timestamp": at(48 * 60)})
    (closed,) = answer["closed"]
    assert (closed["close_reason"], closed["pnl"]) == ("EXPIRED", pytest.approx(0.2 - 0.4))
    assert datetime.fromisoformat(closed["closed_at"]) == PAST + timedelta(hours=48)


async def test_time_when_it_would_go_back_then_it_is_refused_and_other_accounts_go_on(one: Api, pool: Pool):
    await add_package(pool, "two")
    await one.post("/paper/signal", signal(timestamp=at(60)))
    await one.post("/paper/signal", signal(model_id="two", timestamp=at(0)))
    status, problem = await one.post("/paper/signal", signal(timestamp=at(59)))
    assert (status, "time goes forward only" in problem["detail"]) == (409, True)
    _, answer = await one.post("/paper/price-update", {"symbol": "BTCUSDT", "price": 100.1, "timestamp": at(30)})
    assert (answer["marked"], [left["account_id"] for left in answer["skipped"]]) == (1, ["paper_one"])


async def test_time_when_it_lies_far_ahead_then_every_call_refuses_it_and_nothing_has_happened(one: Api):
    _, answer = await one.post("/paper/signal", signal())
    ahead = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
    for path, body in (
        ("signal", signal()),
        ("price-update", {"symbol": "BTCUSDT", "price": 100.0}),
        ("position/open", {"model_id": "one", "symbol": "BTCUSDT", "side": "LONG", "price": 100.0}),
        (f"position/{answer['opened']['id']}/close", {}),
    ):
        status, problem = await one.post(f"/paper/{path}", {**body, "timestamp": ahead})
        assert (status, "5 minutes ahead of now" in str(problem)) == (422, True)
    _, positions = await one.get("/paper/positions/one", params={"status": "OPEN"})
    assert [position["id"] for position in positions["positions"]] == [answer["opened"]["id"]]
    near = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    told = {"symbol": "BTCUSDT", "price": 100.0, "timestamp": near}
    assert (await one.post("/paper/price-update", told))[1]["marked"] == 1


async def test_time_when_the_machine_is_behind_the_account_then_the_account_stands_still(one: Api, pool: Pool):
    ahead = datetime.now(UTC) + timedelta(minutes=4)
    await one.post("/paper/signal", signal(timestamp=ahead.isoformat()))
    _, answer = await one.post("/paper/price-update", {"symbol": "BTCUSDT", "price": 100.9})
    assert datetime.fromisoformat(answer["closed"][0]["closed_at"]) == ahead
    _, account = await one.get("/paper/account/one")
    assert datetime.fromisoformat(account["clock"]) == ahead
    assert await pool.fetchval("SELECT bool_and(closed_at >= opened_at) FROM paper_positions")


async def tell(pool: Pool, minutes: float, prices: tuple[float, float, float, float]) -> paper_trading.Written:
    names = ("open", "high", "low", "close")
    closes = PAST + timedelta(minutes=minutes)
    return await tell_candle(
        pool, symbol="BTCUSDT", at=closes, since=closes - timedelta(minutes=15),
        **dict(zip(names, prices, strict=True)),
    )  # fmt: skip


CANDLES: list[tuple[tuple[float, float, float, float], tuple[str, float] | None]] = [
    ((100.0, 100.6, 99.7, 100.2), None),
    ((100.0, 101.0, 99.0, 100.0), ("SL", 100 * (1 - 0.03 / 7))),
    ((100.0, 101.0, 99.9, 100.0), ("TP", 100 * (1 + 0.05 / 7))),
    ((99.0, 101.0, 98.0, 100.0), ("SL", 99.0)),
    ((102.0, 103.0, 90.0, 100.0), ("TP", 102.0)),
]


async def test_candle_when_told_then_fills_suppose_the_worst(one: Api, pool: Pool):
    for candle, ended in CANDLES:
        await one.post("/paper/account/one/reset")
        await one.post("/paper/signal", signal(timestamp=at(0)))
        told = await tell(pool, 15, candle)
        found = [(closed.close_reason, closed.exit_price) for closed in told.closed]
        assert found == ([] if ended is None else [(ended[0], pytest.approx(ended[1]))])
        assert told.account.unrealised_pnl == pytest.approx(0.4 if ended is None else 0.0)


async def test_candle_when_a_position_is_younger_then_what_came_before_does_not_end_it(one: Api, pool: Pool):
    await one.post("/paper/signal", signal(timestamp=at(10)))
    assert (await tell(pool, 15, (90.0, 110.0, 90.0, 100.3))).closed == ()
    # Told twice, or late, it values nothing: a later price is known.
    await one.post("/paper/price-update", {"symbol": "BTCUSDT", "price": 100.5, "timestamp": at(20)})
    late = await tell(pool, 15, (90.0, 110.0, 90.0, 100.3))
    assert (late.closed, late.account.positions[0].current_price) == ((), 100.5)
    assert late.row.clock == PAST + timedelta(minutes=20)


async def test_signal_of_a_candle_when_its_transaction_fails_then_neither_it_nor_the_callers_part_stays(
    one: Api, pool: Pool
):
    await one.post("/paper/signal", signal(timestamp=at(0)))

    async def act_and_fail() -> None:
        async with transaction(pool) as connection:
            await paper_trading.take_signal_in(
                connection, package_id="one", symbol="BTCUSDT", signal="SHORT", confidence=90.0, price=101.0,
                at=PAST + timedelta(minutes=15), opened_by="auto",
            )  # fmt: skip
            await paper_accounts.set_traded_until(connection, "paper_one", PAST)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await act_and_fail()
    (book,) = await check_books(pool)
    assert (book["open_positions"], await pool.fetchval("SELECT traded_until FROM paper_accounts")) == (1, None)


async def test_state_when_asked_then_it_is_that_of_the_real_account_at_the_price(one: Api, pool: Pool):
    empty = await account_state(pool, "unknown", symbol="BTCUSDT", price=100.0)
    assert (empty.position_count, empty.available_exposure) == (0.0, pytest.approx(0.1))
    await one.post("/paper/signal", signal(signal="SHORT", timestamp=at(0)))
    state = await account_state(pool, "one", symbol="BTCUSDT", price=100.2, at=PAST + timedelta(hours=1))
    equity = 10_000 - 0.2 - 0.4
    assert (state.position_count, state.side, state.steps_in_trade, state.steps_left) == (1.0, 2.0, 4.0, 188.0)
    assert state.unrealised_pnl == pytest.approx(-0.4 / equity)
    assert state.notional == pytest.approx(200 / equity)
    assert state.liquidation_buffer == pytest.approx(1 - 0.002 * 7)
