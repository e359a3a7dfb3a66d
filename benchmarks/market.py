"""The rows that are measured on: a simulated market, as arrays and in a database of its own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from pumpcast.market.simulate import simulate_history
from shared import cluster
from shared.coin_metrics.rows import CoinRows
from shared.embedded import database
from training_service.settings import TrainingSettings

START = datetime(2026, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1)
def simulated_table(*, minutes: int = 150, coins_per_minute: float = 30) -> pa.Table:
    """Give rows of a market in order of time; by default some 600,000 of two and a half busy hours."""
    return simulate_history(seed=1, start=START, minutes=minutes, coins_per_minute=coins_per_minute)


def simulated_rows(count: int) -> CoinRows:
    """Give so many rows of the market, each coin and moment once, sorted."""
    return CoinRows.from_arrow(simulated_table()).deduplicated().take(slice(0, count))


@contextmanager
def fresh_database() -> Iterator[tuple[Path, str]]:
    """Give the home folder and the address of an empty database on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="pumpcast-bench-") as folder:
        home = Path(folder)
        with (
            cluster.server(home / "postgres"),
            database(TrainingSettings(db_dsn="", pumpcast_home=home)) as dsn,
        ):
            yield home, dsn


@contextmanager
def filled_database(table: pa.Table) -> Iterator[tuple[Path, str]]:
    """Give the same with rows in coin_metrics."""
    with fresh_database() as (home, dsn):
        fill(dsn, table)
        yield home, dsn


def fill(dsn: str, table: pa.Table) -> None:
    """Insert rows into coin_metrics, ids included."""
    from adbc_driver_postgresql import dbapi

    names = ", ".join(table.column_names)
    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("incoming", table, mode="create")
        cursor.execute(f"INSERT INTO coin_metrics ({names}) SELECT {names} FROM incoming")
        cursor.execute("DROP TABLE incoming")
        connection.commit()
        cursor.execute("ANALYZE coin_metrics")
        connection.commit()
