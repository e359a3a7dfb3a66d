"""Run named statements through ADBC, which gives their results as Arrow tables, all from one snapshot."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from shared.db import Query

# A job may take long; for ever it may not.
_JOB_SECONDS, _JOB_LOCK_SECONDS = 3600.0, 600.0
_CONNECT_SECONDS = 10
# Of the time that is left; a statement that waits for a lock is then told from one that works.
_LOCK_SHARE = 0.9
_ESTIMATE = re.compile(r"rows=(\d+)")


class Snapshot:
    """A read-only transaction."""

    def __init__(self, cursor: Any, deadline: float | None) -> None:
        self._cursor = cursor
        self._deadline = deadline
        self._is_limited = False

    def fetch(self, query: Query, /, **values: datetime | str) -> Any:
        """Run a query and give its result as a table."""
        import pyarrow as pa

        # Arrow's own pool keeps what was freed, which here is as much as everything that is needed later.
        pa.set_memory_pool(pa.system_memory_pool())
        self._run(query, values)
        return self._cursor.fetch_arrow_table()

    def batches(self, query: Query, /, **values: datetime | str) -> Any:
        """Run a query and give its result piece by piece; it has to be read to its end or closed."""
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())
        self._run(query, values)
        # The reader in public tells of errors without their SQLSTATE.
        return self._cursor._results.reader  # noqa: SLF001

    def estimate(self, query: Query, /, **values: datetime | str) -> int:
        """Give how many rows the planner expects of a query."""
        self._cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        try:
            self._run(query, values, before="EXPLAIN ")
            plan = self._cursor.fetch_arrow_table()["QUERY PLAN"][0].as_py()
        finally:
            self._cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "true"})
        found = _ESTIMATE.search(plan)
        return int(found[1]) if found else 0

    def _run(self, query: Query, values: dict[str, datetime | str], *, before: str = "") -> None:
        self._limit()
        # Moments become literals, since a bound parameter would cost the driver its COPY path.
        moments = [
            f"timestamptz '{value.isoformat()}'" if isinstance(value, datetime) else "" for value in values.values()
        ]
        literals = dict(zip(values, moments, strict=True))
        text = re.sub(r"\$(\d+)", lambda match: literals[query.parameters[int(match[1]) - 1]], query.text)
        fragments = {key: value for key, value in values.items() if isinstance(value, str)}
        self._cursor.execute(before + re.sub(r"\{(\w+)\}", lambda match: fragments[match[1]], text))

    def _limit(self) -> None:
        if self._deadline is None:
            if not self._is_limited:
                self._set(_JOB_SECONDS, _JOB_LOCK_SECONDS)
            self._is_limited = True
            return
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._set(left, left * _LOCK_SHARE)

    def _set(self, statement_seconds: float, lock_seconds: float) -> None:
        for name, seconds in (("statement_timeout", statement_seconds), ("lock_timeout", lock_seconds)):
            self._cursor.execute(f"SET LOCAL {name} = {max(round(seconds * 1000), 1)}")


@contextmanager
def snapshot(dsn: str, *, deadline: float | None) -> Iterator[Snapshot]:
    """Connect and begin; `deadline`, of `time.monotonic()`, is when the last statement has to be over.

    Raises:
        TimeoutError: a statement was to start after the deadline.

    """
    from adbc_driver_manager import Error
    from adbc_driver_postgresql import dbapi
    from psycopg.conninfo import make_conninfo

    left = _CONNECT_SECONDS if deadline is None else deadline - time.monotonic()
    address = make_conninfo(dsn, connect_timeout=max(round(min(left, _CONNECT_SECONDS)), 2))
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        try:
            # Of a process that was killed the server learns while it works, not when it has done.
            cursor.execute("SET client_connection_check_interval = 1000")
            connection.commit()
        except Error:
            # Older servers, and some systems, do not have it.
            connection.rollback()
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # Workers of the server read and convert; what they hand over is little beside that.
        cursor.execute("SET LOCAL parallel_tuple_cost = 0.001")
        yield Snapshot(cursor, deadline)
