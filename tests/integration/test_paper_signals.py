"""Signals on paper: what opens, flips and closes, and each reason why nothing opens."""

import asyncio

import pytest

from shared.db import Pool
from tests.support.paper import add_package, check_books, signal
from tests.support.serving import Api


@pytest.fixture
async def one(api: Api, pool: Pool) -> Api:
    """Give the API with a package that is warm."""
    await add_package(pool)
    return api


async def test_signal_when_package_is_warm_then_it_opens_by_the_rules(one: Api):
    status, answer = await one.post("/api/paper/signal", signal())
    assert status == 200
    opened = answer["opened"]
    assert (opened["side"], opened["size_usdt"], opened["opened_by"]) == ("LONG", 200.0, "signal")
    assert (opened["margin"], opened["fees"]) == (pytest.approx(200 / 7), pytest.approx(0.2))
    assert opened["take_profit_price"] == pytest.approx(100 * (1 + 0.05 / 7))
    assert opened["stop_loss_price"] == pytest.approx(100 * (1 - 0.03 / 7))
    assert (answer["closed"], answer["actions"], answer["rule"]) == ([], [f"OPEN {opened['id']} LONG"], None)
    _, account = await one.get("/paper/account/paper_one")
    assert (account["balance"], account["equity"]) == (pytest.approx(9999.8), pytest.approx(9999.8))
    assert (account["exposure_usdt"], account["open_positions"], account["model_id"]) == (200.0, 1, "one")


async def test_signal_when_the_side_turns_then_it_flips_whatever_confidence_and_state(one: Api, pool: Pool):
    await one.post("/api/paper/signal", signal())
    _, other = await one.post("/api/paper/signal", signal(symbol="SOLUSDT"))
    await pool.execute("UPDATE model_packages SET warmup_status = 'PENDING', warmup_completed_at = NULL")
    _, flipped = await one.post("/api/paper/signal", signal(signal="SHORT", confidence=1.0, current_price=100.5))
    assert (flipped["opened"], flipped["rule"]) == (None, "warmup")
    assert [closed["close_reason"] for closed in flipped["closed"]] == ["SIGNAL_FLIP"]
    assert flipped["closed"][0]["pnl"] == pytest.approx(200 * 0.005 - 0.4)
    assert [row["open_positions"] for row in await check_books(pool)] == [1]
    _, positions = await one.get("/api/paper/positions/one", params={"status": "OPEN"})
    assert [position["id"] for position in positions["positions"]] == [other["opened"]["id"]]


async def test_signal_when_refused_and_nothing_is_open_then_the_time_of_the_account_stands_still(api: Api, pool: Pool):
    await add_package(pool, warmup="PENDING")
    _, refused = await api.post("/paper/signal", signal())
    assert refused["rule"] == "warmup"
    _, account = await api.get("/paper/account/one")
    assert account["clock"] is None
    await pool.execute("UPDATE model_packages SET warmup_status = 'DONE', warmup_completed_at = now()")
    assert (await api.post("/paper/signal", signal(timestamp="2024-03-01T00:00:00Z")))[1]["opened"] is not None


async def test_signal_when_flat_then_open_positions_keep_their_rules(one: Api):
    await one.post("/api/paper/signal", signal())
    _, flat = await one.post("/api/paper/signal", signal(signal="FLAT", confidence=0.0, current_price=100.5))
    assert (flat["opened"], flat["closed"], flat["rule"]) == (None, [], "signal")
    _, ended = await one.post("/api/paper/signal", signal(signal="FLAT", confidence=0.0, current_price=99.0))
    assert [closed["close_reason"] for closed in ended["closed"]] == ["SL"]
    assert ended["closed"][0]["pnl"] == pytest.approx(-2.0 - 0.4)


@pytest.mark.parametrize(
    ("package", "sent", "rule", "words"),
    [
        ({}, {"confidence": 59.9}, "min_confidence", "59.9 is below 60"),
        ({"warmup": "PENDING", "error": "have 3 of 1500 candles"}, {}, "warmup", "PENDING: have 3 of 1500 candles"),
        ({"warmup": "RUNNING"}, {}, "warmup", "not warmed up (RUNNING)"),
        ({"warmup": "FAILED", "error": "no torch"}, {}, "warmup", "FAILED: no torch"),
        ({"status": "ARCHIVED"}, {}, "archived", "is archived"),
    ],
)
async def test_signal_when_a_rule_forbids_then_nothing_opens_and_the_reason_says_which(
    api: Api, pool: Pool, package: dict[str, str], sent: dict[str, float], rule: str, words: str
):
    await add_package(pool, **package)
    status, answer = await api.post("/paper/signal", signal(**sent))
    assert (status, answer["opened"], answer["rule"]) == (200, None, rule)
    assert words in answer["reason"]


async def test_signal_when_its_package_is_unknown_then_404_and_when_deleted_then_it_only_closes(one: Api, pool: Pool):
    assert (await one.post("/paper/signal", signal(model_id="none")))[0] == 404
    await one.post("/paper/signal", signal())
    await pool.execute("DELETE FROM model_packages")
    _, answer = await one.post("/paper/signal", signal(model_id="paper_one", signal="SHORT"))
    assert (answer["rule"], [closed["close_reason"] for closed in answer["closed"]]) == ("package", ["SIGNAL_FLIP"])
    assert (await one.get("/paper/account/one"))[0] == 200


async def test_signals_when_fifty_come_at_once_then_no_limit_is_exceeded(one: Api, pool: Pool):
    answers = await asyncio.gather(*(one.post("/api/paper/signal", signal()) for _ in range(50)))
    assert {status for status, _ in answers} == {200}
    assert sum(answer["opened"] is not None for _, answer in answers) == 5
    assert {answer["rule"] for _, answer in answers} == {None, "max_positions"}
    _, account = await one.get("/api/paper/account/one")
    assert account["open_positions"] == 5
    assert account["exposure_pct"] <= 10.001
    assert (await check_books(pool))[0]["open_positions"] == 5


async def test_opening_by_hand_when_a_limit_forbids_then_409_names_it(one: Api):
    by_hand = {"model_id": "one", "symbol": "BTCUSDT", "side": "SHORT", "price": 50.0}
    assert (await one.post("/api/paper/position/open", {**by_hand, "size_usdt": 900.0}))[0] == 201
    for size, rule in ((5.0, "min_size_usdt"), (150.0, "max_exposure_pct")):
        status, problem = await one.post("/api/paper/position/open", {**by_hand, "size_usdt": size})
        assert (status, rule in problem["detail"]) == (409, True)
    status, rest = await one.post("/api/paper/position/open", by_hand)
    # 2 % of equity would pass the limit of exposure: what it leaves is taken.
    assert (status, rest["size_usdt"]) == (201, pytest.approx(0.1 * (10_000 - 0.9) - 900))


async def test_closing_by_hand_when_done_twice_then_the_second_is_a_409(one: Api, pool: Pool):
    _, answer = await one.post("/api/paper/signal", signal())
    path = f"/api/paper/position/{answer['opened']['id']}/close"
    status, closed = await one.post(path, {"price": 103.5})
    assert (status, closed["close_reason"], closed["pnl"]) == (200, "MANUAL", pytest.approx(200 * 0.035 - 0.4))
    assert (await one.post(path, {"price": 103.5}))[0] == 409
    assert (await one.post("/api/paper/position/999/close"))[0] == 404
    await check_books(pool)
