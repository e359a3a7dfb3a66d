"""How paper accounts do: figures worked out by hand, thinned equity, buy and hold, the dashboard."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.db import Pool
from tests.support.paper import add_package, signal
from tests.support.serving import Api

PAST = datetime(2025, 6, 1, tzinfo=UTC)


def at(hours: float) -> str:
    return (PAST + timedelta(hours=hours)).isoformat()


async def trade(api: Api, side: str, exit_price: float, hours: float) -> None:
    """Open 200 USDT at 100 and close them an hour later."""
    body = {"model_id": "one", "symbol": "BTCUSDT", "side": side, "price": 100.0, "size_usdt": 200.0}
    _, opened = await api.post("/paper/position/open", {**body, "timestamp": at(hours)})
    await api.post(f"/paper/position/{opened['id']}/close", {"price": exit_price, "timestamp": at(hours + 1)})


async def test_performance_when_trades_are_known_then_figures_are_those_worked_out_by_hand(api: Api, pool: Pool):
    await add_package(pool)
    await trade(api, "LONG", 103.2, 0)
    await trade(api, "SHORT", 101.8, 2)
    await trade(api, "LONG", 100.7, 4)
    _, found = await api.get("/paper/account/one/performance")
    # 200 · 3.2 % − 0.4, −200 · 1.8 % − 0.4, 200 · 0.7 % − 0.4
    pnls = [6.0, -4.0, 1.0]
    assert (found["trades"], found["wins"], found["losses"]) == (3, 2, 1)
    assert found["pnl"] == pytest.approx(sum(pnls))
    assert found["win_rate"] == pytest.approx(2 / 3)
    assert found["profit_factor"] == pytest.approx(7 / 4)
    assert found["expectancy"] == pytest.approx(1.0)
    assert (found["average_win"], found["average_loss"]) == (pytest.approx(3.5), pytest.approx(-4.0))
    assert found["sharpe_per_trade"] == pytest.approx(1 / 5)
    assert found["fees"] == pytest.approx(1.2)
    assert found["return_pct"] == pytest.approx(0.03)
    # From 10,006 down to 10,002, and the fee of the third opening.
    assert found["max_drawdown_pct"] == pytest.approx(100 * 4.2 / 10_006)
    assert found["exposure_time_pct"] == pytest.approx(100 * 3 / 5)
    assert found["by_close_reason"]["MANUAL"]["trades"] == 3
    assert found["by_side"]["SHORT"] == {"trades": 1, "wins": 0, "pnl": pytest.approx(-4.0)}
    await api.post("/paper/account/one/reset")
    body = {"model_id": "one", "symbol": "BTCUSDT", "side": "LONG", "price": 100.0, "size_usdt": 200.0}
    held = [(await api.post("/paper/position/open", {**body, "timestamp": at(hour)}))[1]["id"] for hour in (6, 7)]
    for hour, position in zip((8, 9), held, strict=True):
        await api.post(f"/paper/position/{position}/close", {"timestamp": at(hour)})
    _, found = await api.get("/paper/account/one/performance")
    # Begun at 5; from 6 to 9 at least one is open. Equal trades have no spread.
    assert found["exposure_time_pct"] == pytest.approx(100 * 3 / 4)
    assert (found["trades"], found["sharpe_per_trade"], found["profit_factor"]) == (2, None, 0.0)


async def test_equity_when_there_are_many_points_then_first_last_and_extremes_are_kept(api: Api, pool: Pool):
    await add_package(pool)
    await api.get("/paper/account/one")
    await pool.execute("DELETE FROM paper_equity_history")
    await pool.execute(
        """
        INSERT INTO paper_equity_history (account_id, balance, equity, recorded_at)
        SELECT 'paper_one', 10000, CASE n WHEN 1234 THEN 20000 WHEN 4321 THEN 5000 ELSE 10000 + n % 7 END,
            $1::timestamptz + n * interval '1 minute'
        FROM generate_series(0, 5000) AS n
        """,
        PAST,
    )
    for limit in (4, 500, 2000):
        _, found = await api.get("/paper/equity/one", params={"limit": limit})
        points = found["points"]
        assert (found["total"], len(points) <= limit) == (5001, True)
        times = [datetime.fromisoformat(point["recorded_at"]) for point in points]
        assert (times[0], times[-1]) == (PAST, PAST + timedelta(minutes=5000))
        assert times == sorted(set(times))
        assert {5000.0, 20_000.0} <= {point["equity"] for point in points}
    _, part = await api.get("/paper/equity/one", params={"from": at(1), "until": at(2)})
    assert (part["total"], part["points"][0]["recorded_at"], len(part["points"])) == (61, "2025-06-01T01:00:00Z", 61)


async def test_equity_when_candles_are_there_then_buy_and_hold_begins_with_the_account(api: Api, pool: Pool):
    await add_package(pool)
    await pool.execute(
        """
        INSERT INTO candles (symbol, interval, open_time, open, high, low, close, volume)
        SELECT 'BTCUSDT', '15m', $1::timestamptz + n * interval '15 minutes', 100, 200, 50, 100 + n, 1
        FROM generate_series(-2, 8) AS n
        """,
        PAST,
    )
    for hour in (0, 1, 2):
        await api.post("/paper/signal", signal(signal="FLAT", timestamp=at(hour)))
    _, found = await api.get("/paper/equity/one")
    assert found["symbol"] == "BTCUSDT"
    # Closed by the hour: 99, 103, 107.
    assert [point["buy_and_hold"] for point in found["points"]] == [
        pytest.approx(10_000 * close / 99) for close in (99, 103, 107)
    ]
    await pool.execute("DELETE FROM candles")
    _, without = await api.get("/paper/equity/one")
    assert {point["buy_and_hold"] for point in without["points"]} == {None}


async def test_dashboard_when_a_position_is_open_then_it_shows_all_that_one_wants_to_know(api: Api, pool: Pool):
    await add_package(pool, warmup="PENDING", error="have 3 of 1500 candles")
    _, before = await api.get("/paper/dashboard/one")
    assert (before["opens"], before["package"]["warmup_error"]) == (False, "have 3 of 1500 candles")
    await pool.execute(
        "UPDATE model_packages SET warmup_status = 'DONE', warmup_error = NULL, warmup_completed_at = now()"
    )
    await api.post("/paper/signal", signal(timestamp=at(0)))
    await api.post("/paper/price-update", {"symbol": "BTCUSDT", "price": 100.5, "timestamp": at(6)})
    status, found = await api.get("/paper/dashboard/paper_one")
    assert (status, found["opens"], found["reason"]) == (200, True, None)
    (held,) = found["positions"]
    assert (held["unrealised_pnl"], held["margin_return_pct"]) == (pytest.approx(1.0), pytest.approx(3.5))
    assert (held["seconds_left"], held["take_profit_price"]) == (42 * 3600, pytest.approx(100.7142857))
    assert found["account"]["equity"] == pytest.approx(10_000 - 0.2 + 1.0)
    assert found["performance"]["exposure_time_pct"] == pytest.approx(100.0)


async def test_marks_when_prices_come_fast_then_one_in_15_minutes_is_written_and_drawdown_knows_them_all(
    api: Api, pool: Pool
):
    await add_package(pool)
    await api.post("/paper/signal", signal(timestamp=at(0)))
    for minute in range(0, 60, 4):
        told = {"symbol": "BTCUSDT", "price": 99.6 if minute == 20 else 100.1, "timestamp": at(minute / 60)}
        await api.post("/paper/price-update", told)
    rows = await pool.fetch("SELECT reason, recorded_at FROM paper_equity_history ORDER BY id")
    assert [row["reason"] for row in rows] == ["CREATE", "OPEN", *["MARK"] * 3]
    assert [(row["recorded_at"] - PAST).total_seconds() / 60 for row in rows] == [0, 0, 16, 32, 48]
    _, figures = await api.get("/paper/account/one/performance")
    assert figures["max_drawdown_pct"] == pytest.approx(100 * (0.2 + 200 * 0.004) / 10_000)
    await api.post("/paper/account/one/reset")
    assert (await api.get("/paper/account/one/performance"))[1]["max_drawdown_pct"] == 0
