"""What is told to paper trading and cannot be: a problem that names it, and nothing changed."""

from typing import Any

from shared.db import Pool
from tests.support.paper import add_package, signal
from tests.support.serving import Api

OPEN: dict[str, Any] = {"model_id": "one", "symbol": "BTCUSDT", "side": "LONG", "price": 100.0}
PRICE: dict[str, Any] = {"symbol": "BTCUSDT", "price": 100.0}
CREATE: dict[str, Any] = {"model_id": "one"}
SIGNAL = signal()
NOT_PRICES = [0, -1, 0.0, -1e-9, 1e-300, 1e16, 1e308, 10**400, "100", True, None, [100.0], "NaN"]
NOT_TIMES = [
    "2025-06-01",
    "2025-06-01T00:00:00",
    1_750_000_000,
    "yesterday",
    "9999-12-31T00:00:00Z",
    "0001-01-01T00:00:00Z",
]
NOT_SYMBOLS = ["", "A" * 101, "A\x00B", 7, None]
TABLE = [
    *(("signal", SIGNAL, "current_price", wrong) for wrong in NOT_PRICES),
    *(("position/open", OPEN, "price", wrong) for wrong in NOT_PRICES),
    *(("price-update", PRICE, "price", wrong) for wrong in NOT_PRICES),
    *(("signal", SIGNAL, "timestamp", wrong) for wrong in NOT_TIMES),
    *(("price-update", PRICE, "timestamp", wrong) for wrong in NOT_TIMES),
    *(("signal", SIGNAL, "symbol", wrong) for wrong in NOT_SYMBOLS),
    *(("position/open", OPEN, "symbol", wrong) for wrong in NOT_SYMBOLS),
    *(("signal", SIGNAL, "confidence", wrong) for wrong in (-1, 101, 1e9, "80", None, True)),
    *(("signal", SIGNAL, "signal", wrong) for wrong in ("BUY", "long", "", None, 1)),
    *(("position/open", OPEN, "side", wrong) for wrong in ("FLAT", "long", None)),
    *(("position/open", OPEN, "size_usdt", wrong) for wrong in (0, -5, 1e13, "200", True)),
    *(("account/create", CREATE, "leverage", wrong) for wrong in (0, 0.5, 126, 1e308, None)),
    *(("account/create", CREATE, "initial_balance", wrong) for wrong in (0, -1, 1e300, 1e-9)),
    *(("account/create", CREATE, "max_positions", wrong) for wrong in (0, 1.5, "5", True, 10**30)),
    *(("account/create", CREATE, "max_hours", wrong) for wrong in (0, -1, 1e12)),
    *(("account/create", CREATE, "stop_loss_pct", wrong) for wrong in (0, -3, 100.1)),
    *(("account/create", CREATE, "take_profit_pct", wrong) for wrong in (0, 1e-12, 1e300)),
    *(("account/create", CREATE, "fee_pct", wrong) for wrong in (-0.1, 100)),
    *(("account/create", CREATE, "auto_trade", wrong) for wrong in (True, None)),
    *(("account/create", CREATE, "balance", wrong) for wrong in (1,)),
    *((path, body, "model_id", wrong) for path, body in (("signal", SIGNAL), ("account/create", CREATE))
      for wrong in ("", 7, None, "a" * 141, "a\x00b")),
]  # fmt: skip
ADDRESSES = [
    ("GET", "/paper/account/none", 404),
    ("GET", "/paper/dashboard/none", 404),
    ("GET", "/paper/equity/none", 404),
    ("GET", "/paper/positions/none", 404),
    ("GET", "/paper/account/none/performance", 404),
    ("POST", "/paper/account/none/reset", 404),
    ("POST", "/paper/position/1/close", 404),
    ("POST", "/paper/position/x/close", 404),
    ("GET", "/paper/positions/one?status=HALF", 422),
    ("GET", "/paper/positions/one?limit=0", 422),
    ("GET", "/paper/positions/one?limit=1001", 422),
    ("GET", "/paper/positions/one?cursor=abc", 422),
    ("GET", "/paper/positions/one?page=2", 422),
    ("GET", "/paper/equity/one?limit=2001", 422),
    ("GET", "/paper/equity/one?from=2025-06-01", 422),
    ("GET", "/paper/equity/one?from=2025-06-02T00:00:00Z&until=2025-06-01T00:00:00Z", 422),
    ("GET", "/paper/equity/one?round=1", 404),
    ("POST", "/paper/account/one/reset?keep_history=perhaps", 422),
]


async def test_bodies_when_a_field_is_wrong_then_422_names_it_and_nothing_changes(api: Api, pool: Pool):
    await add_package(pool, symbol=None)
    failures = []
    for path, body, field, wrong in TABLE:
        status, problem = await api.post(f"/api/paper/{path}", {**body, field: wrong})
        pointers = {error["pointer"] for error in problem.get("errors", [])}
        expected = "/symbol" if field == "auto_trade" and wrong is True else f"/{field}"
        if (status, pointers) != (422, {expected}):
            failures.append((path, field, wrong, status, problem))
    for path, body in (
        ("signal", SIGNAL),
        ("position/open", OPEN),
        ("price-update", PRICE),
        ("account/create", CREATE),
    ):
        for field in body:
            without = {name: value for name, value in body.items() if name != field}
            status, problem = await api.post(f"/api/paper/{path}", without)
            if (status, problem["errors"][0]["pointer"]) != (422, f"/{field}"):
                failures.append((path, field, "missing", status, problem))
    assert failures == []
    assert await pool.fetchval("SELECT count(*) FROM paper_positions") == 0


async def test_bodies_when_a_number_is_none_then_422(api: Api, pool: Pool):
    await add_package(pool)
    for number in ("NaN", "Infinity", "-Infinity", "1e999"):
        text = f'{{"symbol": "BTCUSDT", "price": {number}}}'
        headers = {"Content-Type": "application/json"}
        assert (await api.call("POST", "/paper/price-update", data=text, headers=headers))[0] == 422


async def test_addresses_when_wrong_then_a_problem_says_so(api: Api, pool: Pool):
    await add_package(pool)
    for method, path, status in ADDRESSES:
        answered, problem = await api.call(method, path)
        assert (path, answered, problem["status"], bool(problem["detail"])) == (path, status, status, True)


async def test_price_when_nobody_can_believe_it_then_no_account_takes_it(api: Api, pool: Pool):
    await add_package(pool)
    await api.post("/paper/signal", signal(current_price=1e-15))
    _, answer = await api.post("/paper/price-update", {"symbol": "BTCUSDT", "price": 1e15})
    assert (answer["marked"], answer["closed"]) == (0, [])
    assert "check the price" in answer["skipped"][0]["reason"]
    status, problem = await api.post("/paper/signal", signal(current_price=1e15))
    assert (status, "check the price" in problem["detail"]) == (422, True)
    assert (await api.get("/paper/account/one"))[1]["open_positions"] == 1


async def test_trading_by_itself_when_the_package_is_archived_then_409_and_nothing_is_set(api: Api, pool: Pool):
    await add_package(pool, status="ARCHIVED")
    await api.post("/paper/account/create", CREATE)
    status, problem = await api.call("PATCH", "/paper/account/one", json={"auto_trade": True})
    assert (status, "restore it first" in problem["detail"]) == (409, True)
    assert await pool.fetchval("SELECT auto_trade FROM paper_accounts") is False
