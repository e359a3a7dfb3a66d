"""Rows of coins in memory: order, repeats, missing values, Arrow in."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from shared.coin_metrics.columns import BASE_FEATURES, COLUMNS, PRICE_COLUMNS
from shared.coin_metrics.rows import CoinRows
from tests.support.market_rows import coin_rows

AT = dt.datetime(2025, 9, 6, 20, 0, 0, 123456, tzinfo=dt.UTC)


def test_columns_when_listed_then_base_features_are_all_but_the_first_four() -> None:
    assert [column.name for column in COLUMNS[:4]] == ["id", "mint", "timestamp", "phase_id_at_time"]
    assert len(BASE_FEATURES) == 14
    assert BASE_FEATURES[:4] == PRICE_COLUMNS
    assert BASE_FEATURES[-2:] == ("unique_wallets", "is_koth")


@given(coin_rows(columns=("volume_sol",)))
def test_deduplicated_when_rows_repeat_then_highest_id_of_each_moment_in_order(rows: CoinRows) -> None:
    best: dict[tuple[int, int], int] = {}
    for row in range(len(rows)):
        key = (int(rows.coin[row]), int(rows.timestamp[row]))
        if key not in best or rows.id[row] > rows.id[best[key]]:
            best[key] = row
    expected = [best[key] for key in sorted(best)]
    assert rows.deduplicated().id.tolist() == rows.id[expected].tolist()
    kept, slot = rows.unique_order()
    assert kept.tolist() == expected
    assert [(rows.coin[kept[at]], rows.timestamp[kept[at]]) for at in slot] == list(
        zip(rows.coin, rows.timestamp, strict=True)
    )


@given(coin_rows(columns=("volume_sol",)))
def test_sort_order_when_rows_are_in_any_order_then_coin_timestamp_id(rows: CoinRows) -> None:
    rows_in_order = rows.take(rows.sort_order())
    keys = list(zip(rows_in_order.coin, rows_in_order.timestamp, rows_in_order.id, strict=True))
    assert keys == sorted(zip(rows.coin, rows.timestamp, rows.id, strict=True))
    assert rows_in_order.sort_order().tolist() == list(range(len(rows)))


def test_sort_order_when_there_are_more_coins_than_sixteen_bits_hold_then_still_in_order() -> None:
    coin = np.array([70_000, 65_535, 4_464, 70_000])
    zeros = np.zeros(4, np.int64)
    rows = CoinRows(
        mints=tuple(map(str, range(70_001))), coin=coin, timestamp=zeros, id=np.arange(4), phase=zeros, values={}
    )
    assert rows.sort_order().tolist() == [2, 1, 0, 3]


def test_from_arrow_when_table_is_as_ugly_as_a_database_then_clean_rows() -> None:
    table = pa.chunked_array([pa.array(["B", "A"]), pa.array(["B"])])
    rows = CoinRows.from_arrow(
        pa.table(
            {
                "mint": table,
                "timestamp": pa.array([AT, AT, AT + dt.timedelta(seconds=5)], pa.timestamp("us", "UTC")),
                "id": [11, 12, 13],
                "phase_id_at_time": pa.array([1, None, 99], pa.int16()),
                "price_close": pa.array([3e-8, 0.0, float("inf")]),
                "price_low": pa.array([-1e-9, None, 2e-8], pa.float32()),
                "volume_sol": pa.array([Decimal("1.50"), Decimal("0.00"), None], pa.decimal128(20, 2)),
                "num_buys": pa.array([0, None, 7], pa.int32()),
                "is_koth": pa.array([True, False, None]),
                "something_new": ["x", "y", "z"],
            }
        )
    )
    assert rows.mints == ("A", "B")
    assert rows.coin.tolist() == [1, 0, 1]
    assert rows.timestamp.tolist() == [1757188800123456, 1757188800123456, 1757188805123456]
    assert rows.id.tolist() == [11, 12, 13]
    assert rows.phase.tolist() == [1, -1, 99]
    nan = np.nan
    expected = {
        "price_close": [3e-8, nan, nan],
        "price_low": [nan, nan, float(np.float32(2e-8))],
        "volume_sol": [1.5, 0.0, nan],
        "num_buys": [0.0, nan, 7.0],
        "is_koth": [1.0, 0.0, nan],
        "unique_wallets": [nan, nan, nan],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(rows.values[name], values)
    assert set(rows.values) == set(BASE_FEATURES)


@pytest.mark.parametrize("column", ["mint", "timestamp"])
def test_from_arrow_when_a_key_is_null_then_refused(column: str) -> None:
    table = {"mint": ["A"], "timestamp": pa.array([AT])}
    table[column] = pa.nulls(1, pa.string() if column == "mint" else pa.timestamp("us", "UTC"))
    with pytest.raises(ValueError, match=f"no {column}"):
        CoinRows.from_arrow(pa.table(table))


def test_from_arrow_when_table_is_empty_then_no_rows() -> None:
    schema = pa.schema([("mint", pa.string()), ("timestamp", pa.timestamp("us", "UTC")), ("price_close", pa.float64())])
    rows = CoinRows.from_arrow(schema.empty_table())
    assert len(rows) == 0
    assert rows.mints == ()
    assert len(rows.deduplicated()) == 0
