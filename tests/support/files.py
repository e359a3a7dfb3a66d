"""Files of rows for the tests of load and replay."""

from datetime import timedelta
from typing import Any

import pyarrow as pa

from tests.support.database import START, row


def ticks(count: int, *, coins: int = 2, seconds: float = 5, **columns: Any) -> pa.Table:
    """Give rows of coins A, B, … on shared ticks, prices rising from 3e-8."""
    rows = [
        row("ABCDEFGH"[coin], tick * seconds, price_close=3e-8 + tick * 1e-10, **columns)
        for tick in range(count)
        for coin in range(coins)
    ]
    return pa.Table.from_pylist(rows)


def candles(count: int, *, symbol: str = "SOLUSDT", minutes: int = 15, close: float = 100.0) -> pa.Table:
    """Give candles without a column that says their interval, each at the start of one."""
    first = START - timedelta(seconds=START.timestamp() % (60 * minutes))
    return pa.Table.from_pylist(
        [
            {
                "symbol": symbol, "open_time": first + timedelta(minutes=minutes * bar),
                "open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 5.0,
            }
            for bar in range(count)
        ]
    )  # fmt: skip
