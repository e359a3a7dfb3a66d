"""Migrations of the database: plain SQL files below `sql/`, applied by yoyo through psycopg."""

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from yoyo import exceptions, read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import MigrationList, default_migration_table

from shared.errors import PumpcastError, Unavailable

# The folder lies beside the packages, in a checkout as in an installed wheel.
SQL_FOLDER = Path(__file__).resolve().parent.parent / "sql"
MIGRATIONS_FOLDER = SQL_FOLDER / "migrations"
# Any fixed number: everybody who migrates this database waits for the same one.
_LOCK = 0x70756D70


class MigrationFailed(PumpcastError):
    """A migration that the database refused; nothing of it is left behind."""

    code = "migration_failed"


def names() -> list[str]:
    """Give the names of all migrations in their order."""
    found = (path.stem for path in MIGRATIONS_FOLDER.glob("*.sql") if not path.stem.endswith(".rollback"))
    return sorted(found)


def migrate(dsn: str, *, until: str = "") -> list[str]:
    """Apply what is missing, each migration in a transaction of its own, and give the names applied.

    `until` names the last one to apply; empty: all.
    """
    with locked(dsn):
        # Decided under the lock: of several processes that start together one works, the others find it done.
        if not pending(dsn):
            return []
        with _backend(dsn) as backend:
            wanted = [one for one in backend.to_apply(_migrations()) if not until or one.id <= until]
            return _run(backend, "apply", wanted)


def rollback(dsn: str, count: int = 1) -> list[str]:
    """Undo the newest `count` migrations and give their names, newest first."""
    with locked(dsn), _backend(dsn) as backend:
        return _run(backend, "rollback", list(backend.to_rollback(_migrations()))[:count])


def pending(dsn: str) -> list[str]:
    """Give the names of the migrations that the database still lacks; changes nothing."""
    try:
        with connected(dsn) as connection:
            if connection.execute("SELECT to_regclass(%s)", (default_migration_table,)).fetchone() == (None,):
                return names()
            # The table's name is a constant of the library.
            question = f"SELECT migration_id FROM {default_migration_table}"  # nosec B608 # noqa: S608
            applied = connection.execute(question).fetchall()
    except psycopg.Error as error:
        raise Unavailable(f"The user of DB_DSN may not see which migrations are applied: {error}") from error
    return [name for name in names() if (name,) not in applied]


def run_script(dsn: str, path: Path) -> None:
    """Run a SQL file as one transaction."""
    with connected(dsn) as connection, connection.transaction():
        # Bytes go to the server as they stand: no parameters, so several statements are allowed.
        connection.execute(path.read_bytes())


def _migrations() -> MigrationList:
    return read_migrations(glob.escape(str(MIGRATIONS_FOLDER)))


@contextmanager
def connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection that commits each statement; Unavailable when there is none to be had."""
    try:
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=10, application_name="pumpcast-migrate")
    except psycopg.Error as error:
        raise Unavailable(
            f"PostgreSQL cannot be reached ({type(error).__name__}): check DB_DSN and that the server runs"
        ) from error
    with connection:
        yield connection


@contextmanager
def locked(dsn: str) -> Iterator[None]:
    """Keep everybody else from migrating this database."""
    with connected(dsn) as connection:
        # yoyo's own lock is a row that stays behind a killed process; this one dies with its session.
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        yield


@contextmanager
def _backend(dsn: str) -> Iterator[PostgresqlPsycopgBackend]:
    try:
        uri = DatabaseURI("postgresql+psycopg", None, None, None, None, None, _keywords(dsn))
        with PostgresqlPsycopgBackend(uri, default_migration_table) as backend:
            backend.create_lock_table()
            backend.break_lock()
            backend.ensure_internal_schema_updated()
            yield backend
    except (psycopg.Error, exceptions.BadMigration) as error:
        raise MigrationFailed(f"The database refused to be migrated: {error}") from error


def _keywords(dsn: str) -> dict[str, Any]:
    # libpq reads the address, as yoyo's own parser leaves a percent-encoded database name as it is.
    given = {key: value for key, value in conninfo_to_dict(dsn).items() if value is not None}
    return {**given, "connect_timeout": 10, "application_name": "pumpcast-migrate"}


def _run(backend: PostgresqlPsycopgBackend, direction: str, migrations: Any) -> list[str]:
    done: list[str] = []
    for migration in migrations:
        try:
            # yoyo alone marks a migration in a second transaction: a kill between the two would run it twice.
            with backend.transaction():
                migration.process_steps(backend, direction)
                if direction == "apply":
                    backend.mark_one(migration, log=False)
                else:
                    backend.unmark_one(migration, log=False)
        except (psycopg.Error, exceptions.BadMigration) as error:
            raise MigrationFailed(f"Migration {migration.id} failed ({direction}): {error}") from error
        done.append(migration.id)
    return done
