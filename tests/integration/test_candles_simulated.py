"""Simulated candles in the database: up to now, going on where they end, each as it closes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from prediction_service.store import candles
from prediction_service.usecases.candles import closed_candles
from pumpcast.cli import app
from pumpcast.market import candle_feed
from pumpcast.market.candle_feed import feed_candles
from pumpcast.market.files import read_file
from shared.db import Pool

SIM = {"symbol": "SIMUSDT", "interval_seconds": 900}


async def test_feed_when_started_again_after_a_while_then_goes_on_where_the_market_stood(pool: Pool):
    first = await feed_candles(pool, stop=asyncio.Event(), bars=1600, seed=7, only_fill=True)
    assert (first.rows, first.symbol) == (1600, "SIMUSDT")
    before = await closed_candles(pool, **SIM, bars=1600)
    assert before.close_time[-1] / 1e6 > datetime.now(UTC).timestamp() - 900 - 60
    assert (await feed_candles(pool, stop=asyncio.Event(), bars=1600, seed=8, only_fill=True)).rows in (0, 1)
    await pool.execute("DELETE FROM candles WHERE open_time > now() - interval '5 hours'")
    again = await feed_candles(pool, stop=asyncio.Event(), bars=1600, seed=9, only_fill=True)
    assert again.rows in (19, 20, 21)
    after = await closed_candles(pool, **SIM, bars=1600)
    assert (after.open[1:] == after.close[:-1]).all()
    assert after.open_time[0] in (before.open_time[0], before.open_time[1])
    # All but one is gone, as when somebody sends a first candle by hand: what lacks leads up to it.
    await pool.execute("DELETE FROM candles WHERE open_time < (SELECT max(open_time) FROM candles)")
    led = await feed_candles(pool, stop=asyncio.Event(), bars=1600, seed=9, only_fill=True)
    assert led.rows in (1599, 1600)
    filled = await closed_candles(pool, **SIM, bars=1600)
    assert filled.close[-3:-1] == pytest.approx(filled.open[-2:])


async def test_feed_when_candles_close_then_each_is_added_then(pool: Pool, monkeypatch: pytest.MonkeyPatch):
    begun = candle_feed.last_close() - timedelta(hours=10)
    closes = [begun, begun, begun, begun + 1 * candle_feed.STEP, begun, begun + 4 * candle_feed.STEP]
    stop = asyncio.Event()

    def clock() -> datetime:
        if len(closes) == 1:
            stop.set()
        return closes.pop(0) if len(closes) > 1 else closes[0]

    monkeypatch.setattr(candle_feed, "last_close", clock)
    result = await feed_candles(pool, stop=stop, bars=100, seed=7)
    assert (result.rows, result.last_timestamp) == (104, begun + 3 * candle_feed.STEP)
    found = await candles.coverage(pool, symbol="SIMUSDT", interval="15m")
    assert (found.candles, found.missing) == (104, 0)


def test_verb_when_a_file_is_wanted_then_it_is_that_market_and_can_be_loaded(tmp_path):
    path = tmp_path / "candles.parquet"
    arguments = ["simulate-candles", "--bars", "50", "--seed", "7", "--start", "2025-01-01T00:07:00Z", "--out"]
    shown = CliRunner().invoke(app, [*arguments, str(path)])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("50 candles of SIMUSDT, 2025-01-01 00:00:00+00:00 to 2025-01-01 12:15:00+00:00")
    CliRunner().invoke(app, [*arguments, str(tmp_path / "again.parquet")])
    assert pq.read_table(path).equals(pq.read_table(tmp_path / "again.parquet"))
    assert read_file(path).rows.num_rows == 50
