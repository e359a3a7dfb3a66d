"""The database of a process: the one of `DB_DSN`, or the embedded PostgreSQL that all processes of a home share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from shared.migrate import SQL_FOLDER, migrate, run_script
from shared.settings import BasePart

DATABASE = "pumpcast"
# Any fixed number: whoever prepares the database waits for the same one.
_PREPARE_LOCK = 0x70756D71


@contextmanager
def database(settings: BasePart) -> Iterator[str]:
    """Give the address of the database: `DB_DSN` as it is, or the embedded one, started or joined, with all tables.

    Raises Unavailable when the embedded one cannot run. A database of `DB_DSN` is neither looked at nor migrated here.
    """
    if settings.db_dsn:
        yield settings.db_dsn
        return
    # Needs what Windows lacks; with DB_DSN set nothing of it is loaded.
    from shared.cluster import server

    with server(folder_of(settings)) as address:
        _prepare(address.dsn("postgres"), address.dsn(DATABASE))
        yield address.dsn(DATABASE)


def folder_of(settings: BasePart) -> Path:
    """Give the folder of the embedded server."""
    return settings.home / "postgres"


def psql_command(dsn: str) -> list[str]:
    """Give the command that opens psql of the wheel on a database."""
    from shared.cluster import program

    return [str(program("psql")), dsn]


def _prepare(administration: str, dsn: str) -> None:
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_PREPARE_LOCK,))
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        with psycopg.connect(dsn) as inside:
            tracker = inside.execute("SELECT to_regclass('coin_metrics'), to_regclass('ref_coin_phases')").fetchone()
        # Looked for each time: the first start may have been killed between the two.
        if tracker is None or None in tracker:
            run_script(dsn, SQL_FOLDER / "dev" / "coin_metrics.sql")
        migrate(dsn)
