"""Paper accounts: opened, set, reset, read after their package is gone."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.db import Connection, Pool, transaction
from tests.support.live import until
from tests.support.paper import add_package, check_books, signal
from tests.support.serving import Api

PAST = datetime(2025, 6, 1, tzinfo=UTC)


async def test_account_when_asked_for_then_a_known_package_gets_one_and_only_one(api: Api, pool: Pool):
    await add_package(pool)
    answers = await asyncio.gather(*(api.get(f"/api/paper/account/{name}") for name in ("one", "paper_one") * 5))
    assert {(status, account["account_id"], account["equity"]) for status, account in answers} == {
        (200, "paper_one", 10_000.0)
    }
    assert await pool.fetchval("SELECT count(*) FROM paper_equity_history WHERE reason = 'CREATE'") == 1
    status, problem = await api.get("/api/paper/account/paper_two")
    assert (status, "paper_two" in problem["detail"]) == (404, True)
    assert await pool.fetchval("SELECT count(*) FROM paper_accounts") == 1


async def test_account_when_created_with_rules_then_they_hold_and_a_second_is_a_409(api: Api, pool: Pool):
    await add_package(pool)
    wanted: dict[str, Any] = {
        "model_id": "one", "initial_balance": 500.0, "leverage": 3.0, "size_pct": 4.0, "max_positions": 1,
        "take_profit_pct": 6.0, "fee_pct": 0.0, "min_confidence": 0.0,
    }  # fmt: skip
    status, account = await api.post("/paper/account/create", wanted)
    assert (status, account["rules"]["leverage"], account["rules"]["stop_loss_pct"]) == (201, 3.0, 3.0)
    _, answer = await api.post("/paper/signal", signal(confidence=0.0))
    assert answer["opened"]["size_usdt"] == 20.0
    assert answer["opened"]["take_profit_price"] == pytest.approx(102.0)
    assert (await api.post("/paper/signal", signal()))[1]["rule"] == "max_positions"
    assert (await api.post("/paper/account/create", wanted))[0] == 409


async def test_account_when_rules_change_then_open_positions_keep_theirs(api: Api, pool: Pool):
    await add_package(pool)
    _, before = await api.post("/paper/signal", signal())
    changed = {"take_profit_pct": 50.0, "fee_pct": 1.0, "auto_trade": True, "symbol": "BTCUSDT"}
    status, account = await api.call("PATCH", "/paper/account/paper_one", json=changed)
    assert (status, account["auto_trade"], account["symbol"]) == (200, True, "BTCUSDT")
    assert account["rules"]["leverage"] == 7.0
    await api.post("/paper/signal", signal())
    _, answer = await api.post("/paper/price-update", {"symbol": "BTCUSDT", "price": 101.0})
    assert [closed["id"] for closed in answer["closed"]] == [before["opened"]["id"]]
    assert answer["closed"][0]["fees"] == pytest.approx(0.4)
    _, account = await api.call("PATCH", "/paper/account/one", json={"symbol": "SOLUSDT"})
    assert account["symbol"] == "SOLUSDT"
    _, account = await api.call("PATCH", "/paper/account/one", json={"symbol": None})
    # That of the manifest.
    assert (account["auto_trade"], account["symbol"]) == (True, "BTCUSDT")
    for wrong in ({"leverage": None}, {"leverage": 126.0}, {"balance": 1.0}):
        assert (await api.call("PATCH", "/paper/account/one", json=wrong))[0] == 422
    assert (await api.call("PATCH", "/paper/account/none", json={}))[0] == 404


async def test_account_when_a_position_closes_while_it_is_read_then_the_answer_is_of_one_moment(
    api: Api, pool: Pool, connection: Connection
):
    await add_package(pool)
    await api.post("/paper/signal", signal())
    await api.post("/paper/price-update", {"symbol": "BTCUSDT", "price": 100.5})
    waiting = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'paper_positions'::regclass"
    async with transaction(pool) as closing:
        await closing.execute("LOCK TABLE paper_positions")
        asked = asyncio.create_task(api.get("/paper/account/one"))
        await until(connection, waiting, expected=True)
        await closing.execute("UPDATE paper_accounts SET balance = balance + 0.8")
        await closing.execute(
            """
            UPDATE paper_positions SET status = 'CLOSED', exit_price = 100.5, pnl = 0.6, unrealised_pnl = 0, fees = 0.4,
                close_reason = 'MANUAL', closed_at = opened_at
            """
        )
    _, account = await asked
    assert (account["equity"], account["open_positions"]) == (pytest.approx(10_000 - 0.2 + 1.0), 1)
    _, account = await api.get("/paper/account/one")
    assert (account["equity"], account["open_positions"]) == (pytest.approx(10_000 + 0.6), 0)


@pytest.mark.parametrize("keep", [True, False])
async def test_reset_when_done_then_all_is_closed_and_time_may_begin_anew(api: Api, pool: Pool, keep: bool):
    await add_package(pool)
    for minute in (0, 1):
        told = PAST + timedelta(minutes=minute)
        await api.post("/paper/signal", signal(current_price=100.0 + minute / 10, timestamp=told.isoformat()))
    await pool.execute("UPDATE paper_accounts SET traded_until = now(), trouble = 'late'")
    status, account = await api.call("POST", "/paper/account/one/reset", params={"keep_history": str(keep).lower()})
    assert (status, account["balance"], account["equity"], account["open_positions"]) == (200, 10_000.0, 10_000.0, 0)
    assert (account["round"], account["clock"], account["traded_until"], account["trouble"]) == (1, None, None, None)
    _, listed = await api.get("/paper/positions/one")
    assert [one["close_reason"] for one in listed["positions"]] == (["RESET", "RESET"] if keep else [])
    reasons = [row["reason"] for row in await pool.fetch("SELECT reason FROM paper_equity_history ORDER BY id")]
    assert reasons == (["CREATE", "OPEN", "OPEN", "CLOSE", "RESET"] if keep else ["RESET"])
    earlier = PAST - timedelta(days=30)
    assert (await api.post("/paper/signal", signal(timestamp=earlier.isoformat())))[1]["opened"] is not None
    await check_books(pool)
    _, equity = await api.get("/paper/equity/one")
    assert [(point["reason"], point["equity"]) for point in equity["points"]] == [
        ("RESET", 10_000.0), ("OPEN", pytest.approx(9999.8)),
    ]  # fmt: skip
    assert datetime.fromisoformat(equity["points"][0]["recorded_at"]) == earlier
    _, performance = await api.get("/paper/account/one/performance")
    assert performance["trades"] == 0


async def test_account_when_its_package_is_deleted_then_its_history_stays_readable(api: Api, pool: Pool):
    await add_package(pool)
    _, answer = await api.post("/paper/signal", signal())
    await api.call("PATCH", "/paper/account/one", json={"auto_trade": True, "symbol": "BTCUSDT"})
    assert (await api.call("DELETE", "/model-packages/one"))[0] == 409
    await api.post(f"/paper/position/{answer['opened']['id']}/close", {"price": 101.0})
    assert (await api.call("DELETE", "/model-packages/one"))[0] in (200, 204)
    # One of the same name would not begin to trade unasked.
    assert (await api.get("/paper/account/one"))[1]["auto_trade"] is False
    for path in ("account/one", "positions/paper_one", "equity/one", "account/one/performance"):
        assert (await api.get(f"/paper/{path}"))[0] == 200
    _, dashboard = await api.get("/paper/dashboard/one")
    assert (dashboard["package"], dashboard["opens"]) == (None, False)
    assert "is deleted" in dashboard["reason"]
    assert [one["pnl"] for one in dashboard["closed"]] == [pytest.approx(1.6)]
    by_hand = {"model_id": "one", "symbol": "BTCUSDT", "side": "LONG", "price": 1.0}
    assert (await api.post("/paper/position/open", by_hand))[0] == 409


async def test_positions_when_listed_in_pages_then_each_comes_once_newest_first(api: Api, pool: Pool):
    await add_package(pool)
    for _ in range(7):
        _, answer = await api.post("/paper/signal", signal())
        if answer["opened"]["id"] % 2:
            await api.post(f"/paper/position/{answer['opened']['id']}/close")
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        given = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        _, page = await api.get("/paper/positions/one", params=given)
        seen += [position["id"] for position in page["positions"]]
        cursor = page["next_cursor"]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 7
    _, closed = await api.get("/paper/positions/one", params={"status": "CLOSED"})
    assert {one["id"] % 2 for one in closed["positions"]} == {1}
