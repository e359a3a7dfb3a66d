"""The verbs `backup` and `restore`: tables, models and packages in one file."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from prediction_service.settings import PredictionSettings
from pumpcast.backup_read import restore_backup
from pumpcast.backup_write import write_backup
from pumpcast.console import progress, show, tell
from shared.embedded import database
from shared.settings import read_settings

MIB: Final = 1 << 20
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupResult:
    """What was written, or put in place."""

    file: str
    bytes: int
    models: int
    """Model files of both services."""
    packages: int
    with_rows: bool
    migrations: tuple[str, ...]
    missing: tuple[str, ...]
    """Files that rows name and that were not there."""
    seconds: float
    notices: tuple[str, ...] = ()


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")],
    with_rows: Annotated[bool, typer.Option("--with-rows", help="Also the tracker's rows: coin_metrics.")] = False,
    as_json: Json = False,
) -> None:
    """Write tables, model files and packages into one file; services may go on meanwhile.

    DB_DSN must be that of the owner of the tables.
    """
    settings, started = read_settings(PredictionSettings), time.monotonic()
    with database(settings) as dsn, progress("written, MiB", total=None) as done:
        contents = write_backup(file, dsn, settings, with_rows=with_rows, on_bytes=_adding(done))
    names = [part.name for part in contents.parts]
    _tell_missing(contents.missing)
    result = _result(file, names, contents.migrations, contents.missing, started)
    show(result, as_json=as_json, sentence=f"Wrote {_said(result)}")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `pumpcast backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what the database and the folders hold.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup into an empty database and the folders of this home; the services must be stopped.

    The whole file is checked before anything changes. DB_DSN must be that of the owner of the tables.
    """
    settings, started = read_settings(PredictionSettings), time.monotonic()
    with database(settings) as dsn, progress("checked, MiB", total=None) as done:
        contents, notices = restore_backup(file, dsn, settings, force=force, on_bytes=_adding(done))
    for notice in notices:
        tell(notice)
    _tell_missing(contents.missing)
    names = [part.name for part in contents.parts]
    result = _result(file, names, contents.migrations, contents.missing, started, tuple(notices))
    show(result, as_json=as_json, sentence=f"Restored {_said(result)}")


def _adding(done: Callable[[int], None]) -> Callable[[int], None]:
    total = 0

    def add(count: int) -> None:
        nonlocal total
        total += count
        done(total // MIB)

    return add


def _tell_missing(missing: tuple[str, ...]) -> None:
    if missing:
        tell(f"rows name {len(missing)} files that were not there: {', '.join(missing[:5])}")


def _result(
    file: Path, names: list[str], migrations: tuple[str, ...], missing: tuple[str, ...], started: float,
    notices: tuple[str, ...] = (),
) -> BackupResult:  # fmt: skip
    return BackupResult(
        file=str(file),
        bytes=file.stat().st_size,
        models=sum(name.startswith(("training/", "prediction/")) for name in names),
        packages=len({name.split("/")[1] for name in names if name.startswith("packages/")}),
        with_rows="rows.dump" in names,
        migrations=migrations,
        missing=missing,
        seconds=round(time.monotonic() - started, 2),
        notices=notices,
    )


def _said(result: BackupResult) -> str:
    rows = ", with the tracker's rows" if result.with_rows else ""
    return (
        f"{result.file}: {result.bytes / MIB:.1f} MiB, {result.models} model files, {result.packages} packages{rows}, "
        f"in {result.seconds:.1f} s"
    )
