"""PostgreSQL for the tests: one server for the whole run, a migrated template, a fresh database for each test."""

import itertools
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from shared import cluster
from shared.db import Connection
from shared.migrate import SQL_FOLDER, migrate, run_script
from tests.support.memory import memory

# Characters that a URL must quote and a connection string must not.
PASSWORD = "p@ss/w:rd %"
TEMPLATE = "template_pumpcast"
FOLDER_PREFIX = "pumpcast-test-"
# Nothing of a test run has to survive a power cut.
FAST = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
    "max_connections": "200", "max_wal_size": "256MB", "listen_addresses": "127.0.0.1",
}  # fmt: skip
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestServer:
    """The server of this test run."""

    __test__ = False

    address: cluster.Address
    admin: psycopg.Connection[Any]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def dsn(self, name: str) -> str:
        """Give the address of a database through the socket."""
        return self.address.dsn(name)

    def tcp_dsn(self, name: str) -> str:
        """Give the address of the same database over TCP, with a password."""
        return f"postgresql://postgres:{quote(PASSWORD, safe='')}@127.0.0.1:{self.address.port}/{name}"

    @contextmanager
    def fresh(self, template: str = TEMPLATE) -> Iterator[str]:
        """Give the name of a new database; afterwards nobody may still be connected to it."""
        name = f"test_{os.getpid()}_{next(self.numbers)}"
        self.admin.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))
        try:
            yield name
            left = self._sessions_left(name)
        finally:
            self.admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
        assert not left, f"connections left open by the test: {left}"

    def _sessions_left(self, name: str) -> list[tuple[Any, ...]]:
        deadline = time.monotonic() + 5
        while True:
            query = "SELECT application_name, state, query FROM pg_stat_activity WHERE datname = %s"
            left = self.admin.execute(query, (name,)).fetchall()
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.02)


@contextmanager
def test_server(folder: Path) -> Iterator[TestServer]:
    """Start or join the server of this test run and make the template if nobody has yet."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    with (
        cluster.server(folder, options={**FAST, "port": port}) as address,
        psycopg.connect(address.dsn("postgres"), autocommit=True) as admin,
    ):
        admin.execute("SELECT pg_advisory_lock(1)")
        if admin.execute("SELECT FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone() is None:
            admin.execute(SQL("ALTER ROLE postgres PASSWORD {}").format(Literal(PASSWORD)))
            admin.execute("CREATE DATABASE unfinished")
            run_script(address.dsn("unfinished"), SQL_FOLDER / "dev" / "coin_metrics.sql")
            migrate(address.dsn("unfinished"))
            admin.execute(SQL("ALTER DATABASE unfinished RENAME TO {}").format(Identifier(TEMPLATE)))
        admin.execute("SELECT pg_advisory_unlock(1)")
        yield TestServer(address=address, admin=admin)


test_server.__test__ = False  # type: ignore[attr-defined]


def remove(folder: Path, *, patience: float = 10) -> bool:
    """Stop the server of a test run that has ended and delete its files; False while somebody still uses it."""
    deadline = time.monotonic() + patience
    while not cluster.stop_abandoned(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)
    return True


def remove_leftovers() -> None:
    """Do the same for test runs that were killed."""
    for folder in memory().glob(FOLDER_PREFIX + "*"):
        status = folder.stat()
        if status.st_uid == os.geteuid() and time.time() - status.st_mtime > 60:
            remove(folder, patience=0)


def row(mint: str, seconds: float = 0, /, **values: Any) -> dict[str, Any]:
    """Give a row of coin_metrics, `seconds` after START; what is not said has a plain value."""
    price = values.get("price_close", 3e-8)
    plain = {
        "mint": mint, "timestamp": START + timedelta(seconds=seconds), "phase_id_at_time": 1,
        "price_open": price, "price_high": price, "price_low": price, "price_close": price,
        "volume_sol": 1.0, "market_cap_close": 30.0, "buy_volume_sol": 0.6, "sell_volume_sol": 0.4,
        "num_buys": 3, "num_sells": 2, "bonding_curve_pct": 5.0, "virtual_sol_reserves": 31.0,
        "unique_wallets": 4, "is_koth": False,
    }  # fmt: skip
    return {**plain, **values}


async def insert_rows(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert rows into coin_metrics with one statement and give their ids."""
    if not rows:
        return []
    columns = tuple(rows[0])
    types = {"mint": "text", "timestamp": "timestamptz", "is_koth": "boolean", "id": "bigint"}
    integers = ("phase_id_at_time", "num_buys", "num_sells", "unique_wallets")
    arrays = [
        f"${position}::{types.get(name, 'integer' if name in integers else 'float8')}[]"
        for position, name in enumerate(columns, 1)
    ]
    found = await connection.fetch(
        f"INSERT INTO coin_metrics ({', '.join(columns)}) SELECT * FROM unnest({', '.join(arrays)}) RETURNING id",
        *([entry[name] for entry in rows] for name in columns),
    )
    return [record["id"] for record in found]
