"""Files that are refused: nothing of them may go in, so one database serves them all."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pumpcast.market.files import read_file
from pumpcast.market.load import load
from shared.db import Pool
from shared.errors import Invalid
from tests.support.database import START, TestServer
from tests.support.files import candles, ticks


@pytest.fixture(scope="module")
def database(postgres: TestServer) -> Iterator[str]:
    with postgres.fresh() as name:
        yield postgres.dsn(name)


async def rows(pool: Pool) -> int:
    return await pool.fetchval("SELECT (SELECT count(*) FROM coin_metrics) + (SELECT count(*) FROM candles)")


def replaced(name: str, values: list[object], kind: pa.DataType | None = None) -> pa.Table:
    table = ticks(1)
    return table.set_column(table.column_names.index(name), name, pa.array(values, kind))


def spoiled(name: str, values: list[object]) -> pa.Table:
    table = candles(2)
    return table.set_column(table.column_names.index(name), name, pa.array(values))


WRONG_FILES = {
    "no mint": (ticks(1).drop_columns("mint"), "lacks mint"),
    "no timestamp": (ticks(1).drop_columns("timestamp"), "lacks timestamp"),
    "neither table": (pa.table({"a": [1], "b": [2]}), "neither mint and timestamp"),
    "no rows": (ticks(1).slice(0, 0), "holds no rows"),
    "text as price": (replaced("price_close", ["3e-8", "cheap"]), "price_close cannot be double precision"),
    "half a buy": (replaced("num_buys", [1.0, 1.5]), "num_buys cannot be integer"),
    "too many buys": (replaced("num_buys", [1, 2**31]), "num_buys cannot be integer"),
    "perhaps king": (replaced("is_koth", ["true", "perhaps"]), "is_koth cannot be boolean: it holds 'perhaps'"),
    "naive times": (replaced("timestamp", [START.replace(tzinfo=None)] * 2), "no time zone; write them with one"),
    "words as times": (replaced("timestamp", ["now", "then"]), "timestamp cannot be timestamptz"),
    "a time missing": (replaced("timestamp", [START, None]), "1 rows have no timestamp"),
    "a mint missing": (replaced("mint", ["A", None]), "1 rows have no mint"),
    "a mint empty": (replaced("mint", ["A", ""]), "1 rows have no mint"),
    "candle upside down": (spoiled("high", [101.0, 1.0]), r"1 candles have prices that cannot be.*12:15:00.*\(row 2\)"),
    "candle without a price": (spoiled("low", [99.0, float("nan")]), "candles have prices that cannot be|have no low"),
    "candle without an end": (spoiled("high", [101.0, float("inf")]), "1 candles have prices that cannot be"),
    "candle of less than nothing": (spoiled("volume", [0.0, -1.0]), "a volume that is not 0 or more"),
    "candle off the grid": (
        spoiled("open_time", [START, START + timedelta(minutes=14)]).append_column("interval", pa.array(["15m"] * 2)),
        "not a whole number of intervals",
    ),
    "candle of tomorrow": (
        spoiled("open_time", [START, START.replace(year=2099)]).append_column("interval", pa.array(["15m"] * 2)),
        "1 candles have an open_time in the future",
    ),
    "candle of a strange length": (
        candles(2).append_column("interval", pa.array(["15m", "7m"])),
        "'7m' is no interval",
    ),
    "candle without a length": (
        candles(2).append_column("interval", pa.array(["15m", None])),
        "1 rows have no interval",
    ),
    "candle of a long name": (candles(2, symbol="x" * 101), "a symbol of more than 100 characters"),
    "one candle": (candles(1), "give --interval"),
    "candles of no known length": (candles(9, minutes=7), "give --interval"),
    "no close": (candles(2).drop_columns("close"), "lacks close"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
async def test_load_when_a_file_is_wrong_then_one_sentence_and_nothing_inserted(pool: Pool, written, case: str):
    table, sentence = WRONG_FILES[case]
    with pytest.raises(Invalid, match=sentence) as raised:
        await load(pool, read_file(written(table)))
    assert "\n" not in raised.value.message
    assert await rows(pool) == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.parquet", b""),
        ("empty.csv", b""),
        ("text.parquet", b"mint,timestamp\n"),
        ("header.csv", b"mint,timestamp\n"),
        ("ragged.csv", b"mint,timestamp\nA,2026-03-01T12:00:00Z\nB\n"),
        ("latin1.csv", b"mint,timestamp\n\xe4,2026-03-01T12:00:00Z\n"),
        ("twice.csv", b"mint,timestamp,mint\nA,2026-03-01T12:00:00Z,B\n"),
        ("zero.csv", b"mint,timestamp\nA\0B,2026-03-01T12:00:00Z\n"),
        ("binary.csv", bytes(range(256))),
        ("magic.parquet", b"PAR1"),
    ],
)
async def test_load_when_bytes_are_no_table_then_one_sentence(pool: Pool, tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid) as raised:
        await load(pool, read_file(tmp_path / name))
    assert "\n" not in raised.value.message
    assert await rows(pool) == 0


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
async def test_load_when_a_parquet_file_is_cut_off_then_says_damaged(pool: Pool, tmp_path: Path, kept: float):
    pq.write_table(ticks(500), tmp_path / "whole.parquet")
    content = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(Invalid, match="damaged or cut off"):
        read_file(tmp_path / "cut.parquet")
