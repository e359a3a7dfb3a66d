"""A backup that is of one moment, taken while the services go on."""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.errors import InsufficientPrivilege
from yoyo.connections import default_migration_table

from prediction_service.settings import PredictionSettings
from pumpcast import postgres_tools
from pumpcast.backup_file import DATABASE, ROWS, Contents, Writer, writing
from shared.errors import Conflict, Unavailable
from shared.migrate import SQL_FOLDER, connected, names

ATTEMPTS: Final = 5
PACKAGE_FILES: Final = ("forecast_model.pt", "ppo_policy.zip", "manifest.json")
TRACKER: Final = ("coin_metrics", "ref_coin_phases")
# Of a data-only dump, what makes tables stays out: the migrations make them.
DUMP: Final = ("--format=custom", "--compress=1", "--no-owner", "--no-privileges")


class _Gone(Exception):
    """A file that went while it was copied, and its row with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A file that a row names."""

    name: str
    """In the backup."""
    places: tuple[Path, ...]
    """Where it may lie."""
    optional: bool = False


def our_tables() -> list[str]:
    """Give the names of all tables of pumpcast."""
    return re.findall(r"^CREATE TABLE (\w+)", (SQL_FOLDER / "schema.sql").read_text(encoding="utf-8"), re.MULTILINE)


@contextmanager
def as_owner() -> Iterator[None]:
    """Turn a refusal of the database into a sentence."""
    try:
        yield
    except InsufficientPrivilege as error:
        reason = str(error).partition("\n")[0]
        raise Unavailable(f"DB_DSN must be that of the owner of all tables ({reason}): SECRETS_DIR=…/owner") from error
    except psycopg.Error as error:
        raise Unavailable(f"The database failed: {str(error).partition(chr(10))[0]}") from error


def write_backup(
    path: Path, dsn: str, settings: PredictionSettings, *, with_rows: bool, on_bytes: Callable[[int], None]
) -> Contents:
    """Write a backup and give what is in it."""
    path = path.absolute()
    for _ in range(ATTEMPTS):
        try:
            with as_owner(), writing(path, on_bytes) as writer:
                return _write(writer, path.parent, dsn, settings, with_rows=with_rows)
        except _Gone:
            continue
    raise Conflict("models were removed each time while they were copied: try again when it is quieter")


def _write(writer: Writer, beside: Path, dsn: str, settings: PredictionSettings, *, with_rows: bool) -> Contents:
    with connected(dsn) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        snapshot, server = _one(connection, "SELECT pg_export_snapshot(), current_setting('server_version_num')::int")
        applied = _applied(connection)
        # Files lie in their place before a row names them, so those of the snapshot are all there: first come the
        # files, which may go with their rows, then the dump of the same snapshot, which waits for as long as it takes.
        missing = [named.name for named in _named(connection, settings) if not _copy(writer, named, dsn, settings)]
        with tempfile.TemporaryDirectory(prefix=".pumpcast-backup-", dir=beside) as folder:
            parts: list[tuple[str, tuple[str, ...], list[str]]] = [
                (DATABASE, ("--data-only",), [name for name in our_tables() if _exists(connection, name)])
            ]
            if with_rows:
                parts.append((ROWS, (), [name for name in TRACKER if _exists(connection, name)]))
            for name, arguments, tables in parts:
                if not tables:
                    raise Unavailable(f"There is nothing to put into {name}: no table is there, run `pumpcast migrate`")
                dump = Path(folder) / name
                wanted = [f"--table={_quoted(connection, table)}" for table in tables]
                given = [*DUMP, *arguments, *wanted, f"--snapshot={snapshot}", f"--file={dump}"]
                postgres_tools.dump(dsn, given, server_version=server)
                writer.add(name, dump)
    contents = Contents(
        version=version("pumpcast"), created_at=datetime.now(UTC).isoformat(), server_version=server,
        migrations=applied, parts=tuple(writer.parts), missing=tuple(missing),
    )  # fmt: skip
    writer.finish(contents)
    return contents


def _copy(writer: Writer, named: Named, dsn: str, settings: PredictionSettings) -> bool:
    for place in named.places:
        try:
            writer.add(named.name, place)
        except FileNotFoundError:
            continue
        return True
    if named.optional:
        return True
    with connected(dsn) as now:
        if any(other.name == named.name for other in _named(now, settings)):
            return False
    raise _Gone


def _named(connection: psycopg.Connection[Any], settings: PredictionSettings) -> list[Named]:
    found: list[Named] = []
    questions = {
        "training": "SELECT model_file_path FROM ml_models WHERE model_file_path IS NOT NULL",
        "prediction": "SELECT local_model_path FROM prediction_active_models",
    }
    for service, question in questions.items():
        folder = settings.model_folder("training" if service == "training" else "prediction")
        for (path,) in connection.execute(question).fetchall():
            name = Path(path).name
            found.append(Named(name=f"{service}/{name}", places=(folder / name, Path(path))))
    for (package,) in connection.execute("SELECT id FROM model_packages").fetchall():
        for file in PACKAGE_FILES:
            place = settings.packages_folder / package / file
            found.append(Named(name=f"packages/{package}/{file}", places=(place,), optional=file == PACKAGE_FILES[-1]))
    return found


def _applied(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    if not _exists(connection, default_migration_table):
        raise Unavailable("This database has no tables of pumpcast: check DB_DSN")
    # The table's name is a constant of the library.
    question = f"SELECT migration_id FROM {default_migration_table}"  # nosec B608 # noqa: S608
    rows = connection.execute(question).fetchall()
    applied = tuple(sorted(name for (name,) in rows))
    if unknown := set(applied) - set(names()):
        raise Conflict(
            f"The database is newer than this pumpcast ({', '.join(sorted(unknown))}): update pumpcast first"
        )
    return applied


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    return bool(_one(connection, "SELECT to_regclass(%s) IS NOT NULL", table)[0])


def _quoted(connection: psycopg.Connection[Any], table: str) -> str:
    question = (
        "SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = to_regclass(%s)"
    )
    return str(_one(connection, question, table)[0])


def _one(connection: psycopg.Connection[Any], question: str, *given: Any) -> tuple[Any, ...]:
    found = connection.execute(question, given or None).fetchone()
    assert found is not None
    return tuple(found)
