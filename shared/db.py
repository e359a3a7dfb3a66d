"""The only door to PostgreSQL: pool, transaction, jsonb codec, named queries."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import asyncpg
import orjson

from shared.errors import Unavailable

Connection: TypeAlias = asyncpg.Connection
Pool: TypeAlias = asyncpg.Pool
Record: TypeAlias = asyncpg.Record
UniqueViolation = asyncpg.UniqueViolationError
ForeignKeyViolation = asyncpg.ForeignKeyViolationError
UndefinedTable = asyncpg.UndefinedTableError
UndefinedColumn = asyncpg.UndefinedColumnError
LockNotAvailable = asyncpg.LockNotAvailableError
InsufficientPrivilege = asyncpg.InsufficientPrivilegeError
QueryCanceled = asyncpg.QueryCanceledError
OutOfRange = asyncpg.NumericValueOutOfRangeError
PostgresError = asyncpg.PostgresError
# What a lost, restarting or refusing server raises; a caller in a loop waits and tries again.
ConnectionLost = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    # A session that ends at the wrong moment leaves asyncpg's own state machine confused; the session is gone as well.
    asyncpg.InternalClientError,
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
)


def _dumps(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()


async def prepare_connection(connection: Connection) -> None:
    """Set the codecs every connection of this project has."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=_dumps, decoder=orjson.loads, schema="pg_catalog")


async def _connect(*arguments: Any, **named: Any) -> Connection:
    try:
        return await asyncpg.connect(*arguments, **named)
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        # A missing socket, a name nobody knows, several addresses at once: no file of ours is at fault.
        raise ConnectionError(f"no connection: {error}") from error


async def connect(dsn: str, *, application: str = "pumpcast") -> Connection:
    """Open one connection of its own, for LISTEN and advisory locks, which a pooled one would lose."""
    connection = await _connect(dsn, timeout=10, server_settings=_session(application))
    await prepare_connection(connection)
    return connection


async def open_pool(
    dsn: str,
    *,
    application: str,
    min_size: int = 1,
    max_size: int = 10,
    session: Mapping[str, str] | None = None,
    cleans: bool = True,
) -> Pool:
    """Open a pool; `session` holds further settings of its sessions. A server out of reach is an `Unavailable`.

    `cleans` resets a session each time it is given back; without, who borrows one must leave it as it was.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            timeout=10,
            command_timeout=60,
            init=prepare_connection,
            connect=_connect,
            reset=None if cleans else _leave,
            server_settings={**_session(application), **(session or {})},
        )
    except (*ConnectionLost, asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise Unavailable(
            f"PostgreSQL cannot be reached ({type(error).__name__}): check DB_DSN and that the server runs"
        ) from error


async def _leave(_connection: Connection) -> None:
    """Clean nothing: an open transaction is ended in any case."""


def _session(application: str) -> dict[str, str]:
    # JIT costs more than it gives on queries of milliseconds.
    return {"application_name": application, "timezone": "UTC", "jit": "off"}


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Give a connection inside one transaction: committed at the end, rolled back by any exception."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection


@dataclass(frozen=True, slots=True)
class Query:
    """One named statement with positional parameters."""

    text: str
    parameters: tuple[str, ...]

    def arguments(self, given: dict[str, Any]) -> list[Any]:
        """Give the values in the order of the positions; a missing or unknown name is a programming error."""
        if set(given) != set(self.parameters):
            raise TypeError(f"parameters {sorted(given)} given, {sorted(self.parameters)} needed")
        return [given[name] for name in self.parameters]


Executor: TypeAlias = Connection | Pool


class Queries:
    """The statements of one `.sql` file: `-- name: claim` starts one, `:owner` is a parameter, `::text` a cast."""

    def __init__(self, path: Path) -> None:
        self._queries: dict[str, Query] = {}
        for block in re.split(r"(?m)^-- name: ", path.read_text(encoding="utf-8"))[1:]:
            name, _, body = block.partition("\n")
            self._queries[name.strip()] = _positional(body.strip().rstrip(";"))

    @classmethod
    def beside(cls, module_file: str) -> "Queries":
        """Load the file of the same stem beside a store module."""
        return cls(Path(module_file).with_suffix(".sql"))

    def __getitem__(self, name: str) -> Query:
        return self._queries[name]

    async def fetch(self, executor: Executor, name: str, /, **given: Any) -> list[Record]:
        """Give all rows."""
        query = self._queries[name]
        return cast("list[Record]", await executor.fetch(query.text, *query.arguments(given)))

    async def fetchrow(self, executor: Executor, name: str, /, **given: Any) -> Record | None:
        """Give the first row or None."""
        query = self._queries[name]
        return await executor.fetchrow(query.text, *query.arguments(given))

    async def fetchval(self, executor: Executor, name: str, /, **given: Any) -> Any:
        """Give the first value of the first row or None."""
        query = self._queries[name]
        return await executor.fetchval(query.text, *query.arguments(given))

    async def execute(self, executor: Executor, name: str, /, **given: Any) -> str:
        """Run a statement and give its command tag."""
        query = self._queries[name]
        return cast("str", await executor.execute(query.text, *query.arguments(given)))


def _positional(sql: str) -> Query:
    names: list[str] = []

    def position(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    # A colon after a colon is a cast; comments may hold anything.
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    return Query(re.sub(r"(?<!:):([a-z_][a-z0-9_]*)", position, "\n".join(lines)), tuple(names))
