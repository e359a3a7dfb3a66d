"""The database roles of the two services: their rights, their passwords, and the trigger that neither may make."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege, LockNotAvailable
from psycopg.sql import SQL, Identifier, Literal

from shared.errors import Invalid, Unavailable
from shared.migrate import SQL_FOLDER, connected, locked

ROLES: Final = {"training": "pumpcast_training", "prediction": "pumpcast_prediction"}
"""The role of each service."""
LOCK_TIMEOUT_MS: Final = 2000


def settle(dsn: str) -> list[str]:
    """Give the roles what they lack and install the trigger of the live worker; tell what could not be done."""
    with locked(dsn), connected(dsn) as connection:
        if connection.execute("SELECT to_regproc('pumpcast_grant')").fetchone() == (None,):
            return []
        problems = [problem for (problem,) in connection.execute("SELECT pumpcast_grant()").fetchall()]
        return [*problems, *_install_trigger(connection)]


def lacking(dsn: str) -> list[str]:
    """Tell what the roles lack; changes nothing."""
    with connected(dsn) as connection:
        if connection.execute("SELECT to_regproc('pumpcast_owners')").fetchone() == (None,):
            return []
        found = connection.execute((SQL_FOLDER / "lacking_rights.sql").read_bytes()).fetchall()
    return [sentence for (sentence,) in found]


def let_log_in(dsn: str, folder: Path) -> None:
    """Let both roles log in with the passwords of `training/db_dsn` and `prediction/db_dsn` in a folder."""
    passwords = {role: _password(folder / service / "db_dsn", role) for service, role in ROLES.items()}
    with locked(dsn), connected(dsn) as connection:
        try:
            with connection.transaction():
                _set_passwords(connection, passwords)
        except psycopg.Error as error:
            reason = str(error).partition("\n")[0]
            raise Unavailable(
                f"The roles cannot be let in ({reason}): the user of DB_DSN needs CREATEROLE and both roles"
            ) from error


def _set_passwords(connection: psycopg.Connection[tuple[object, ...]], passwords: Mapping[str, str]) -> None:
    for role, password in passwords.items():
        # Hashed here: the text of a statement may end up in the log of the server.
        hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        connection.execute(SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(Identifier(role), Literal(hashed)))


def _password(path: Path, role: str) -> str:
    try:
        dsn = path.read_text(encoding="utf-8").strip()
        found = conninfo_to_dict(dsn)
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read ({error.strerror}): `pumpcast keys install {path.parent.parent}` makes it"
        ) from error
    except psycopg.Error:
        raise Invalid(
            f"{path} holds no address of a database: write postgresql://user:password@host:5432/name"
        ) from None
    if found.get("user") != role or not found.get("password"):
        raise Invalid(f"{path} must name the user {role} and its password")
    return str(found["password"])


def _install_trigger(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    # The right to make triggers would let a service run code as the tracker: the owner of the table makes this one.
    if connection.execute("SELECT to_regclass('coin_metrics')").fetchone() == (None,):
        return ["there is no coin_metrics yet: run this again when the tracker has made it"]
    try:
        with connection.transaction():
            connection.execute(SQL("SET LOCAL lock_timeout = {}").format(LOCK_TIMEOUT_MS))
            connection.execute((SQL_FOLDER / "wakeup_trigger.sql").read_bytes())
    except LockNotAvailable:
        return ["coin_metrics is busy, its trigger is missing and rows are polled: run this again"]
    except InsufficientPrivilege:
        return ["this user may not make the trigger pumpcast_wakeup on coin_metrics, rows are polled"]
    return []
