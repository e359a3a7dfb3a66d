"""The books of paper accounts over long random histories, and through the end of the API by kill -9."""

import asyncio
import random
import signal as signals
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from prediction_service.runtime.paper import Candle
from prediction_service.runtime.paper_account import Account, mark_candle, mark_price, take_signal
from prediction_service.store import paper_accounts
from prediction_service.usecases import paper_books, paper_trading
from prediction_service.usecases.paper_books import micros
from shared.db import Pool
from tests.integration.test_prediction_process import free_port, start, until_alive
from tests.support.paper import add_package, check_books, signal, tell_candle
from tests.support.serving import Api

BEGIN = datetime(2025, 3, 1, tzinfo=UTC)
MARKETS = ("BTCUSDT", "SOLUSDT")
COUNT = "SELECT count(*) FROM paper_positions"
# The server is shared with other tests.
SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name = 'pumpcast prediction' AND datname = current_database()"
)


async def tell(pool: Pool, account: Account, kind: str, market: str, price: float, at: datetime) -> Account:
    """Tell the stored account and the one in memory the same; give the latter."""
    if kind == "PRICE":
        await paper_trading.mark_price(pool, symbol=market, price=price, at=at)
        return mark_price(account, symbol=market, price=price, at=micros(at)).account
    if kind == "CANDLE":
        since = at - timedelta(minutes=15)
        prices = {"open": price * 0.999, "high": price * 1.01, "low": price * 0.99, "close": price}
        await tell_candle(pool, symbol=market, at=at, since=since, **prices)
        candle = Candle(**prices, open_at=micros(since), close_at=micros(at))
        return mark_candle(account, candle, symbol=market).account
    told = {"symbol": market, "signal": kind, "confidence": 75.0, "price": price}
    await paper_trading.take_signal(pool, package_id="one", at=at, **told)
    return take_signal(account, at=micros(at), **told).account  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [1, 2])
async def test_books_when_a_long_history_is_told_then_they_balance_and_equal_the_rules_alone(pool: Pool, seed: int):
    await add_package(pool)
    drawn, account, at = random.Random(seed), Account(), BEGIN
    price = dict.fromkeys(MARKETS, 100.0)
    for _ in range(150):
        at += timedelta(minutes=drawn.choice([15, 15, 60, 600]))
        market = drawn.choice(MARKETS)
        price[market] *= drawn.uniform(0.992, 1.008)
        kind = drawn.choice(["LONG", "SHORT", "FLAT", "PRICE", "CANDLE"])
        account = await tell(pool, account, kind, market, price[market], at)
    row = await paper_accounts.get(pool, "paper_one")
    assert row is not None
    stored = (await paper_books.read(pool, row)).account
    assert stored.balance == pytest.approx(account.balance, abs=1e-6)
    assert stored.equity == pytest.approx(account.equity, abs=1e-6)
    assert stored.positions == account.positions
    await check_books(pool)
    ends = await pool.fetch("SELECT DISTINCT close_reason FROM paper_positions WHERE status = 'CLOSED'")
    assert {end["close_reason"] for end in ends} >= {"TP", "SL", "SIGNAL_FLIP"}
    last = await pool.fetchrow("SELECT equity, unrealised_pnl FROM paper_equity_history ORDER BY id DESC LIMIT 1")
    assert last["equity"] == pytest.approx(account.equity, abs=1e-6)
    # One row a minute at most, but for what was opened and closed.
    assert await pool.fetchval("SELECT count(*) FROM paper_equity_history WHERE reason = 'CREATE'") == 1


async def storm(api: Api, worker: int) -> None:
    """Send signals and prices until nobody answers."""
    drawn = random.Random(worker)
    try:
        while True:
            price = round(drawn.uniform(99.0, 101.0), 3)
            side = drawn.choice(["LONG", "SHORT"])
            await api.post("/paper/signal", signal(signal=side, current_price=price, symbol=drawn.choice(MARKETS)))
            await api.post("/paper/price-update", {"symbol": drawn.choice(MARKETS), "price": price})
    except aiohttp.ClientError:
        return


async def test_books_when_the_api_is_killed_in_a_storm_of_signals_then_nothing_is_half(
    pool: Pool, database: str, tmp_path: Path
):
    await add_package(pool)
    port = free_port()
    process = await start(tmp_path, DB_DSN=database, PREDICTION_API_PORT=port)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        api = Api(session)
        await until_alive(api)
        senders = [asyncio.create_task(storm(api, worker)) for worker in range(8)]
        async with asyncio.timeout(30):
            while await pool.fetchval(COUNT) < 60:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        process.send_signal(signals.SIGKILL)
        await asyncio.gather(*senders)
    await process.communicate()
    # What was under way when it died is undone by the server once it notices.
    async with pool.acquire() as connection, asyncio.timeout(30):
        while await connection.fetchval(SESSIONS):  # noqa: ASYNC110 - the server wakes nobody
            await asyncio.sleep(0.05)
    (book,) = await check_books(pool)
    assert book["open_positions"] <= 5
    newest = "SELECT balance, open_positions FROM paper_equity_history ORDER BY id DESC LIMIT 1"
    told = await pool.fetchrow(newest)
    assert (told["balance"], told["open_positions"]) == (book["balance"], book["open_positions"])
    sides = await pool.fetch(
        "SELECT count(DISTINCT side) AS sides FROM paper_positions WHERE status = 'OPEN' GROUP BY symbol"
    )
    assert {row["sides"] for row in sides} <= {1}
