"""Candles out of files: told to those who wait, gaps reported, real ones and simulated ones."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prediction_service.usecases.candles import closed_candles
from pumpcast.market.candles import simulate_candles
from pumpcast.market.files import read_file
from pumpcast.market.load import Gaps, load
from shared.db import Pool, connect
from tests.support.database import START
from tests.support.files import candles

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "candles_15m_sample.parquet"


@pytest.fixture(scope="module")
def real_candles() -> Path:
    path = Path(os.environ.get("PUMPCAST_REAL_CANDLES", REAL))
    if not path.is_file():
        pytest.skip(f"no real candles at {path}: set PUMPCAST_REAL_CANDLES to a parquet file of candles")
    return path


async def test_load_when_candles_are_missing_then_says_how_many_and_wakes_who_waits(
    database: str, pool: Pool, tmp_path: Path
):
    listener = await connect(database)
    heard: asyncio.Queue[str] = asyncio.Queue()
    await listener.add_listener("packages_changed", lambda *event: heard.put_nowait(event[3]))
    path = tmp_path / "candles.parquet"
    holes = pa.concat_tables([candles(9), candles(9, symbol="BTCUSDT").take([0, 1, 4, 5, 7, 8])])
    pq.write_table(holes, path)
    result = await load(pool, read_file(path))
    assert result.gaps == (Gaps(symbol="BTCUSDT", interval="15m", gaps=2, missing=3),)
    pq.write_table(candles(9, symbol="BTCUSDT").slice(2, 2), path)
    assert (await load(pool, read_file(path))).gaps == (Gaps(symbol="BTCUSDT", interval="15m", gaps=1, missing=1),)
    async with asyncio.timeout(10):
        assert [await heard.get(), await heard.get()] == ["", ""]
    await listener.close()


async def test_load_when_a_length_is_written_otherwise_then_it_is_stored_in_one_form(pool: Pool, tmp_path: Path):
    path = tmp_path / "candles.parquet"
    pq.write_table(candles(3).append_column("interval", pa.array(["900s", "15m", "15m"])), path)
    await load(pool, read_file(path))
    pq.write_table(candles(3), path)
    await load(pool, read_file(path, interval="900s"))
    stored = await pool.fetch("SELECT interval, count(*) FROM candles GROUP BY 1")
    assert [tuple(row) for row in stored] == [("15m", 3)]


async def test_load_when_candles_are_real_then_all_arrive_and_can_be_computed_on(pool: Pool, real_candles: Path):
    table = pq.read_table(real_candles)
    result = await load(pool, read_file(real_candles))
    assert (result.table, result.rows, result.gaps) == ("candles", table.num_rows, ())
    for symbol in table["symbol"].unique().to_pylist():
        found = await closed_candles(pool, symbol=symbol, interval_seconds=900, bars=1500)
        expected = table.filter(pa.compute.equal(table["symbol"], symbol)).sort_by("open_time")["close"].to_numpy()
        np.testing.assert_array_equal(found.close, expected[-1500:])


async def test_simulated_candles_when_loaded_then_nothing_is_refused_or_missing(pool: Pool, tmp_path: Path):
    path = tmp_path / "candles.parquet"
    pq.write_table(simulate_candles(7, START - timedelta(days=30), 2000), path)
    result = await load(pool, read_file(path))
    assert (result.rows, result.gaps) == (2000, ())
    found = await closed_candles(pool, symbol="SIMUSDT", interval_seconds=900, bars=1500)
    assert len(found) == 1500
