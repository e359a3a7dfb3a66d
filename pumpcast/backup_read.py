"""A backup put into an empty database and empty folders, or in the place of what is there."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tarfile import TarFile
from typing import IO, Any, Final

import psycopg
from psycopg.sql import SQL, Identifier

from prediction_service.settings import PredictionSettings
from pumpcast.backup_file import DATABASE, ROWS, Contents, content_of, reading
from pumpcast.backup_write import TRACKER, as_owner, our_tables
from pumpcast.postgres_tools import load
from shared.errors import Conflict, PumpcastError, Unavailable
from shared.migrate import connected, migrate, names, rollback
from shared.roles import ROLES, settle

# What a start of the services alone leaves in a fresh database is nobody's loss.
IN_USE: Final = {
    "ml_models": "true", "ml_jobs": "true", "prediction_active_models": "true", "predictions": "true",
    "candles": "true", "paper_positions": "true", "model_packages": "NOT is_builtin",
    "webhook_endpoints": "NOT is_builtin",
}  # fmt: skip
APPLICATIONS: Final = ("pumpcast training", "pumpcast prediction", "training-worker", "prediction-%", "pumpcast l%")
"""What our processes call themselves to the server."""
GIVEN: Final = ("--no-owner", "--no-privileges")


class BrokenOff(PumpcastError):
    """A restore that ended half way: tables and folders hold neither what was there nor what was to come."""

    code = "restore_broke_off"


def restore_backup(
    path: Path, dsn: str, settings: PredictionSettings, *, force: bool, on_bytes: Callable[[int], None]
) -> tuple[Contents, list[str]]:
    """Put a backup in place; give what was in it, and what this user may not do about roles and trigger."""
    with reading(path, on_bytes) as (archive, contents), as_owner():
        if unknown := sorted(set(contents.migrations) - set(names())):
            raise Conflict(f"{path} is of pumpcast {contents.version}, which is newer: update pumpcast ({unknown[-1]})")
        server = _look(dsn, contents, force=force)
        places = _places(contents, settings)
        if not force:
            _refuse_files(places)
        with _to_be_repeated(path):
            for name, place in places.items():
                _put(archive, name, place)
            _fill(archive, contents, dsn, server)
            _set_paths(dsn, settings)
            migrate(dsn)
            return contents, settle(dsn)


@contextmanager
def _to_be_repeated(path: Path) -> Iterator[None]:
    """Say of what fails in it that the restore is half done."""
    try:
        with as_owner():
            yield
    except (PumpcastError, OSError) as error:
        reason = error.message if isinstance(error, PumpcastError) else f"{path} cannot be read: {error.strerror}"
        raise BrokenOff(
            f"{reason}; the restore broke off half done: leave the services stopped, mend this, then repeat it "
            f"with `pumpcast restore {path} --force`"
        ) from error


def _look(dsn: str, contents: Contents, *, force: bool) -> int:
    with connected(dsn) as connection:
        sessions = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (usename = ANY(%s) OR application_name LIKE ANY(%s))",
            (list(ROLES.values()), list(APPLICATIONS)),
        ).fetchone()
        if sessions != (0,):
            raise Conflict("Services are connected to this database: stop them, then restore")
        held = [table for table, which in IN_USE.items() if _has(connection, table, which)]
        if contents.has_rows:
            held += [table for table in TRACKER[:1] if _has(connection, table, "true")]
        if held and not force:
            raise Conflict(
                f"This database is in use ({', '.join(held)} have rows): restore into an empty one, "
                "or add --force to replace everything in it"
            )
        found = connection.execute("SELECT current_setting('server_version_num')::int").fetchone()
        assert found is not None
        return int(found[0])


def _has(connection: psycopg.Connection[Any], table: str, which: str) -> bool:
    if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
        return False
    # Both are of the table above.
    question = f"SELECT EXISTS (SELECT FROM {table} WHERE {which})"  # nosec B608 # noqa: S608
    return connection.execute(question.encode()).fetchone() == (True,)


def _places(contents: Contents, settings: PredictionSettings) -> dict[str, Path]:
    roots = {
        "training": settings.model_folder("training"),
        "prediction": settings.model_folder("prediction"),
        "packages": settings.packages_folder,
    }
    return {
        part.name: roots[part.name.partition("/")[0]] / part.name.partition("/")[2]
        for part in contents.parts
        if part.name not in (DATABASE, ROWS)
    }


def _refuse_files(places: dict[str, Path]) -> None:
    # The package that comes with the project is put there by a start of the services alone.
    if there := [place for place in places.values() if place.exists() and place.parent.name != "ppo_v1"]:
        raise Conflict(f"{there[0]} exists already: choose another PUMPCAST_HOME, or add --force to replace it")


def _put(archive: TarFile, name: str, place: Path) -> None:
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        _make(place.parent)
        with content_of(archive, name) as source, temporary.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        _give(temporary)
        temporary.replace(place)
    except OSError as error:
        raise Unavailable(f"{place} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir()
        _give(folder)


def _give(path: Path) -> None:
    # Restored by root, it belongs to the user whose folder it lies in.
    if os.geteuid() == 0:
        above = path.parent.stat()
        os.chown(path, above.st_uid, above.st_gid)


def _fill(archive: TarFile, contents: Contents, dsn: str, server: int) -> None:
    rollback(dsn, len(names()))
    migrate(dsn, until=contents.migrations[-1])
    with connected(dsn) as connection, connection.transaction():
        for table in reversed(our_tables()):
            # What migrations put there is in the dump as well.
            if _has(connection, table, "true"):
                connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))
    with content_of(archive, DATABASE) as dump:
        load(dump, dsn, [*GIVEN, "--data-only"], server_version=server)
    if contents.has_rows:
        with content_of(archive, ROWS) as dump:
            _fill_rows(dsn, dump, server)


def _fill_rows(dsn: str, dump: IO[bytes], server: int) -> None:
    only_data = False
    with connected(dsn) as connection:
        for table in TRACKER:
            if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() != (None,):
                connection.execute(SQL("TRUNCATE {}").format(Identifier(table)))
                only_data = True
    load(dump, dsn, [*GIVEN, *(["--data-only"] if only_data else [])], server_version=server)


def _set_paths(dsn: str, settings: PredictionSettings) -> None:
    wanted = {
        ("ml_models", "model_file_path"): settings.model_folder("training"),
        ("prediction_active_models", "local_model_path"): settings.model_folder("prediction"),
    }
    with connected(dsn) as connection, connection.transaction():
        for (table, column), folder in wanted.items():
            connection.execute(
                SQL("UPDATE {0} SET {1} = %s || regexp_replace({1}, '^.*/', '/') WHERE {1} IS NOT NULL").format(
                    Identifier(table), Identifier(column)
                ),
                (str(folder),),
            )
