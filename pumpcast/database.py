"""The verbs on the database itself: migrate and psql."""

import signal
import subprocess
from dataclasses import dataclass
from typing import Annotated

import typer

from pumpcast.console import show
from shared.embedded import database, psql_command
from shared.migrate import migrate, names, rollback
from shared.settings import BasePart, read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateResult:
    """What was done to the schema."""

    applied: tuple[str, ...]
    rolled_back: tuple[str, ...]


def migrate_database(
    undo: Annotated[int, typer.Option("--rollback", min=0, help="Undo so many of the newest migrations instead.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Bring the tables of pumpcast up to date; the embedded database does so by itself at every start."""
    with database(read_settings(BasePart)) as dsn:
        if undo:
            result = MigrateResult(applied=(), rolled_back=tuple(rollback(dsn, undo)))
        else:
            result = MigrateResult(applied=tuple(migrate(dsn)), rolled_back=())
    if result.rolled_back:
        sentence = f"Rolled back {', '.join(result.rolled_back)}"
    elif result.applied:
        sentence = f"Applied {', '.join(result.applied)}"
    else:
        sentence = f"Nothing to do, the database is at {names()[-1]}"
    show(result, as_json=as_json, sentence=sentence)


def open_psql(context: typer.Context) -> None:
    """Open psql on the database; all arguments are passed on to it."""
    # Ctrl-C belongs to psql; a handler, unlike SIG_IGN, is not inherited by it.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    with database(read_settings(BasePart)) as dsn:
        code = subprocess.run([*psql_command(dsn), *context.args], check=False).returncode
    raise typer.Exit(code if code >= 0 else 1)
