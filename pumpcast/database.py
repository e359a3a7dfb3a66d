"""The verbs on the database itself: migrate and psql."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pumpcast.console import show, tell
from shared.embedded import database, psql_command
from shared.errors import Invalid
from shared.migrate import migrate, names, rollback
from shared.roles import let_log_in, settle
from shared.settings import BasePart, read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateResult:
    """What was done to the schema."""

    applied: tuple[str, ...]
    rolled_back: tuple[str, ...]
    notices: tuple[str, ...] = ()
    """What this user may not do, or what the tracker must do first."""
    logins: bool = False
    """True when the roles of the services may log in now."""


def migrate_database(
    undo: Annotated[int, typer.Option("--rollback", min=0, help="Undo so many of the newest migrations instead.")] = 0,
    logins: Annotated[
        Path | None, typer.Option(help="Let both services log in with the passwords of this folder of keys.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Bring the tables of pumpcast and the rights of its roles up to date; run it again when the tracker has started.

    The embedded database does so by itself at every start.
    """
    if undo and logins is not None:
        raise Invalid("--rollback and --logins exclude each other")
    with database(read_settings(BasePart)) as dsn:
        result = _undo(dsn, undo) if undo else _bring_up_to_date(dsn, logins)
    for notice in result.notices:
        tell(notice)
    if result.rolled_back:
        sentence = f"Rolled back {', '.join(result.rolled_back)}"
    elif result.applied:
        sentence = f"Applied {', '.join(result.applied)}"
    else:
        sentence = f"Nothing to do, the database is at {names()[-1]}"
    if result.logins:
        sentence += "; both services may log in"
    show(result, as_json=as_json, sentence=sentence)


def _undo(dsn: str, count: int) -> MigrateResult:
    return MigrateResult(applied=(), rolled_back=tuple(rollback(dsn, count)))


def _bring_up_to_date(dsn: str, logins: Path | None) -> MigrateResult:
    applied, notices = tuple(migrate(dsn)), tuple(settle(dsn))
    if logins is not None:
        let_log_in(dsn, logins)
    return MigrateResult(applied=applied, rolled_back=(), notices=notices, logins=logins is not None)


def open_psql(context: typer.Context) -> None:
    """Open psql on the database; all arguments are passed on to it."""
    # Ctrl-C belongs to psql; a handler, unlike SIG_IGN, is not inherited by it.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    with database(read_settings(BasePart)) as dsn:
        code = subprocess.run([*psql_command(dsn), *context.args], check=False).returncode
    raise typer.Exit(code if code >= 0 else 1)
