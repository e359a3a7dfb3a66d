import asyncio
import decimal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pumpcast.market.files import read_file
from pumpcast.market.load import load
from shared.db import Pool, connect, open_pool
from shared.errors import Invalid, Unavailable
from shared.wakeup_trigger import ensure_trigger
from tests.support.database import START, row
from tests.support.files import candles, ticks


async def count(pool: Pool, table: str = "coin_metrics") -> int:
    return await pool.fetchval(f"SELECT count(*) FROM {table}")


async def test_load_when_rows_are_good_then_every_value_arrives(pool: Pool, written):
    given = [
        row("A", 0, price_close=2.9976123456789e-8, num_buys=7, is_koth=True),
        row("A", 5.25, price_close=0.0, phase_id_at_time=None, unique_wallets=None, is_koth=None, volume_sol=None),
        row('quo"te,\n', 5, price_close=None, price_open=None),
    ]
    result = await load(pool, read_file(written(pa.Table.from_pylist(given))))
    assert (result.table, result.rows, result.ignored) == ("coin_metrics", 3, ())
    assert (result.first_timestamp, result.last_timestamp) == (START, START + timedelta(seconds=5.25))
    columns = ", ".join(f"{name}::float8" if "sol" in name or "price" in name else name for name in given[0])
    stored = await pool.fetch(f"SELECT {columns} FROM coin_metrics ORDER BY id")
    for found, expected in zip(stored, given, strict=True):
        assert {name: found[name] for name in expected} == expected


async def test_load_when_columns_are_double_precision_then_arrives_too(pool: Pool, written):
    await pool.execute(
        "ALTER TABLE coin_metrics ALTER price_close TYPE double precision, ALTER volume_sol TYPE double precision"
    )
    await load(pool, read_file(written(pa.Table.from_pylist([row("A", price_close=2.9976123456789e-8)]))))
    assert await pool.fetchval("SELECT price_close FROM coin_metrics") == 2.9976123456789e-8


async def test_load_when_the_file_has_ids_then_their_order_is_kept(pool: Pool, written):
    given = pa.Table.from_pylist([{"id": 30, **row("C")}, {"id": 10, **row("A")}, {"id": 20, **row("B")}])
    await load(pool, read_file(written(given)))
    assert [r["mint"] for r in await pool.fetch("SELECT mint FROM coin_metrics ORDER BY id")] == ["A", "B", "C"]


async def test_load_when_the_file_has_no_ids_then_keeps_its_order(pool: Pool, written):
    await load(pool, read_file(written(pa.Table.from_pylist([row("B", 9), row("A", 3), row("C", 6)]))))
    assert [r["mint"] for r in await pool.fetch("SELECT mint FROM coin_metrics ORDER BY id")] == ["B", "A", "C"]


async def test_load_when_columns_are_unknown_then_leaves_them_out_and_says_so(pool: Pool, written):
    given = ticks(3).append_column("mood", pa.array(["good"] * 6)).append_column("x", pa.array([1.0] * 6))
    result = await load(pool, read_file(written(given)))
    assert result.ignored == ("mood", "x")
    assert await count(pool) == 6


async def test_load_when_the_tracker_lacks_a_column_then_leaves_it_out_and_says_so(pool: Pool, written):
    await pool.execute("ALTER TABLE coin_metrics DROP COLUMN is_koth")
    result = await load(pool, read_file(written(ticks(2))))
    assert result.ignored == ("is_koth",)
    assert await count(pool) == 4


async def test_load_when_only_mint_and_timestamp_are_there_then_the_rest_is_null(pool: Pool, written):
    await load(pool, read_file(written(ticks(1, coins=1).select(["mint", "timestamp"]))))
    assert await pool.fetchval("SELECT price_close IS NULL AND num_buys IS NULL FROM coin_metrics")


async def test_load_when_done_then_wakes_listeners_once(database: str, pool: Pool, written):
    assert await ensure_trigger(pool)
    listener = await connect(database)
    heard: asyncio.Queue[str] = asyncio.Queue()
    await listener.add_listener("coin_metrics_insert", lambda *event: heard.put_nowait(event[3]))
    await load(pool, read_file(written(ticks(50))))
    async with asyncio.timeout(10):
        assert await heard.get() == "{}"
    await listener.execute("SELECT 1")
    assert heard.empty()
    await listener.close()


async def test_load_when_written_by_pandas_with_gaps_then_integers_arrive(pool: Pool, tmp_path: Path):
    frame = pd.DataFrame([row("A", num_buys=3), row("B", 5)])
    frame["num_buys"] = [3.0, np.nan]
    frame.to_csv(tmp_path / "frame.csv")
    result = await load(pool, read_file(tmp_path / "frame.csv"))
    assert result.ignored == ("",)
    assert [r[0] for r in await pool.fetch("SELECT num_buys FROM coin_metrics ORDER BY id")] == [3, None]


async def test_load_when_copied_out_by_psql_then_goes_back_in(pool: Pool, tmp_path: Path):
    (tmp_path / "psql.csv").write_text(
        "mint,timestamp,is_koth,num_buys\nA,2026-03-01 12:00:00+00,t,3\nB,2026-03-01 14:00:00.5+02,f,\n"
    )
    await load(pool, read_file(tmp_path / "psql.csv"))
    stored = await pool.fetch("SELECT timestamp, is_koth, num_buys FROM coin_metrics ORDER BY id")
    assert [tuple(r) for r in stored] == [
        (START, True, 3), (START + timedelta(milliseconds=500), False, None),
    ]  # fmt: skip


async def test_load_when_prices_are_decimals_then_keeps_all_digits(pool: Pool, tmp_path: Path):
    price = decimal.Decimal("0.0000000300000000000000000001")
    table = ticks(1, coins=1).drop_columns("price_close").append_column(
        "price_close", pa.array([price], pa.decimal128(38, 28))
    )  # fmt: skip
    pq.write_table(table, tmp_path / "decimal.parquet")
    await load(pool, read_file(tmp_path / "decimal.parquet"))
    assert await pool.fetchval("SELECT price_close FROM coin_metrics") == price


async def test_load_when_timestamps_have_another_zone_or_unit_then_are_the_same_moment(pool: Pool, tmp_path: Path):
    moment = pa.array([datetime(2026, 3, 1, 12, tzinfo=UTC)], pa.timestamp("ns", "America/New_York"))
    pq.write_table(pa.table({"mint": pa.array(["A"]).dictionary_encode(), "timestamp": moment}), tmp_path / "x.parquet")
    await load(pool, read_file(tmp_path / "x.parquet"))
    assert await pool.fetchval("SELECT timestamp FROM coin_metrics") == START


async def test_load_when_the_table_is_missing_then_says_what_to_do(empty_database: str, written):
    connection_pool = await open_pool(empty_database, application="tests")
    with pytest.raises(Unavailable, match="no table coin_metrics"):
        await load(connection_pool, read_file(written(ticks(1))))
    with pytest.raises(Unavailable, match="pumpcast migrate"):
        await load(connection_pool, read_file(written(candles(2))))
    await connection_pool.close()


async def test_load_when_a_late_row_is_refused_then_the_early_ones_are_gone_too(pool: Pool, written):
    await pool.execute("ALTER TABLE coin_metrics ADD CHECK (price_close < 1)")
    table = pa.concat_tables(
        [ticks(15_000), pa.Table.from_pylist([row("A", 1, price_close=2.0)], schema=ticks(1).schema)]
    )
    with pytest.raises(Invalid, match="nothing was inserted"):
        await load(pool, read_file(written(table)))
    assert await count(pool) == 0


@pytest.mark.parametrize(("minutes", "interval"), [(15, "15m"), (60, "1h"), (1440, "1d"), (90, "90m")])
async def test_load_when_candles_do_not_say_their_interval_then_spacing_does(pool: Pool, written, minutes, interval):
    table = pa.concat_tables([candles(5, symbol=symbol, minutes=minutes) for symbol in ("A", "B")])
    result = await load(pool, read_file(written(table)))
    assert (result.table, result.rows) == ("candles", 10)
    stored = await pool.fetch("SELECT interval, symbol, count(*) FROM candles GROUP BY 1, 2 ORDER BY 2")
    assert [tuple(r) for r in stored] == [(interval, "A", 5), (interval, "B", 5)]


async def test_load_when_candles_come_again_then_the_later_ones_count(pool: Pool, written):
    await load(pool, read_file(written(candles(4))))
    table = pa.concat_tables([candles(2, close=110.0), candles(2, close=120.0)])
    await load(pool, read_file(written(table), interval="15m"))
    stored = await pool.fetch("SELECT close FROM candles ORDER BY open_time")
    assert [r["close"] for r in stored] == [120.0, 120.0, 100.0, 100.0]


def test_read_when_the_path_is_wrong_then_says_so(tmp_path: Path):
    with pytest.raises(Invalid, match="no file"):
        read_file(tmp_path / "nothing.parquet")
    with pytest.raises(Invalid, match="is a folder"):
        read_file(tmp_path)


async def test_load_when_rows_are_real_then_all_arrive(pool: Pool, real_rows: Path):
    table = pq.read_table(real_rows)
    result = await load(pool, read_file(real_rows))
    assert result.rows == table.num_rows == await count(pool)
    price = await pool.fetchval("SELECT sum(price_close)::float8 FROM coin_metrics")
    assert price == pytest.approx(np.sum(table["price_close"].to_numpy()), rel=1e-9)
