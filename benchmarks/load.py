"""Time and memory to bring half a million rows from the database to numpy, beside asyncpg and pandas."""

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median

import psutil

from benchmarks.market import START, filled_database, simulated_table
from benchmarks.stopwatch import in_process, peak_bytes
from shared.coin_metrics.columns import BASE_FEATURES, COLUMNS
from shared.coin_metrics.load import load_range

ROWS = 500_000
TIMES = 3
HORIZON_MINUTES = 10
HISTORY_ROWS = 15


def measure() -> dict[str, float]:
    """Give medians: seconds, and megabytes above what the process held before."""
    with filled_database(simulated_table().slice(0, ROWS)) as (_, dsn):
        # One after the other, each in a process of its own: the peak of a process never falls again.
        runs = [(way, in_process("benchmarks.load", way, dsn)) for _ in range(TIMES) for way in WAYS]
    return {
        f"load_{way}_{figure}": median(found[figure] for name, found in runs if name == way)
        for way in WAYS
        for figure in ("seconds", "megabytes")
    }


def through_arrow(dsn: str) -> int:
    """Load as training does: window, horizon, histories, clock, last sight of each coin; sorted, each moment once."""
    loaded = load_range(
        dsn,
        start=START,
        end=START + timedelta(days=1),
        horizon_minutes=HORIZON_MINUTES,
        history_rows=HISTORY_ROWS,
        columns=BASE_FEATURES,
    )
    return len(loaded.rows)


def through_rows(dsn: str) -> int:
    """Load the window alone, row by row, into a DataFrame."""
    import pandas as pd

    from shared.db import connect

    async def fetch() -> pd.DataFrame:
        connection = await connect(dsn)
        try:
            names = ", ".join(column.name for column in COLUMNS)
            query = f"SELECT {names} FROM coin_metrics WHERE timestamp BETWEEN $1 AND $2 ORDER BY timestamp"
            records = await connection.fetch(query, START, START + timedelta(days=1))
        finally:
            await connection.close()
        frame = pd.DataFrame([dict(record) for record in records])
        for name in BASE_FEATURES:
            frame[name] = pd.to_numeric(frame[name]).astype("float64")
        return frame.drop_duplicates(["mint", "timestamp"], keep="last")

    return len(asyncio.run(fetch()))


WAYS: dict[str, Callable[[str], int]] = {"arrow": through_arrow, "rows": through_rows}


def _report(way: str, dsn: str) -> None:
    # Loading the libraries is not what is measured.
    for library in ("adbc_driver_postgresql.dbapi", "pandas", "shared.db"):
        importlib.import_module(library)
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    rows = WAYS[way](dsn)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "megabytes": (peak_bytes() - before) / 1e6, "rows": rows}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _report(*sys.argv[1:])
    else:
        print(*(f"{name}: {value:.2f}" for name, value in measure().items()), sep="\n")
