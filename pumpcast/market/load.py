"""Rows into the database: one COPY in one transaction, everything or nothing."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from prediction_service.store import candles
from pumpcast.market.files import TYPES, FileRows, TableName
from shared.db import Connection, Pool, PostgresError, Queries, transaction
from shared.errors import Invalid, Unavailable

QUERIES: Final = Queries.beside(__file__)
CHUNK_ROWS: Final = 20_000
# A load of any size takes its time; the pool's own limit is meant for queries.
COPY_TIMEOUT_SECONDS: Final = 24 * 3600

Progress = Callable[[int], None]
"""Called with the number of rows done so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """What is missing between the candles of a market."""

    symbol: str
    interval: str
    gaps: int
    missing: int
    """Candles in all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What went in."""

    table: str
    rows: int
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    """Columns of the file that found no place."""
    first_timestamp: datetime
    last_timestamp: datetime
    gaps: tuple[Gaps, ...] = ()
    """Of candles: what is missing now in the series of the file."""


async def load(
    pool: Pool, file: FileRows, *, on_progress: Progress | None = None, count_gaps: bool = True
) -> LoadResult:
    """Insert checked rows in their order; candles that are there already are overwritten."""
    gaps: tuple[Gaps, ...] = ()
    try:
        async with transaction(pool) as connection:
            columns = await columns_to_fill(connection, file.table, file.rows.column_names)
            rows = file.rows.select(columns)
            if file.table == "coin_metrics":
                await copy_rows(connection, "coin_metrics", rows, on_progress=on_progress)
            else:
                await _merge_candles(connection, rows, on_progress)
                gaps = await _gaps(connection) if count_gaps else ()
    except PostgresError as error:
        # Class 22 is a value, 23 a constraint: the file is at fault, not the database.
        if error.sqlstate[:2] not in {"22", "23"}:
            raise
        raise Invalid(
            f"The database refused the rows of {file.table}, nothing was inserted: {str(error).splitlines()[0]}"
        ) from error
    times = pc.min_max(file.rows[file.time_column])
    return LoadResult(
        table=file.table,
        rows=file.rows.num_rows,
        columns=tuple(columns),
        ignored=(*file.ignored, *(name for name in file.rows.column_names if name not in columns and name != "id")),
        first_timestamp=times["min"].as_py(),
        last_timestamp=times["max"].as_py(),
        gaps=gaps,
    )


async def _merge_candles(connection: Connection, rows: pa.Table, on_progress: Progress | None) -> None:
    await QUERIES.execute(connection, "stage_candles")
    await copy_rows(connection, "incoming_candles", rows, on_progress=on_progress)
    await QUERIES.execute(connection, "merge_candles")
    await candles.announce(connection)


async def _gaps(connection: Connection) -> tuple[Gaps, ...]:
    found = []
    for series in await QUERIES.fetch(connection, "loaded_series"):
        sums = await candles.coverage(connection, symbol=series["symbol"], interval=series["interval"])
        if sums.total_gaps:
            found.append(Gaps(**series, gaps=sums.total_gaps, missing=sums.missing))
    return tuple(found)


async def columns_to_fill(connection: Connection, table: TableName, names: list[str]) -> list[str]:
    """Give which columns to insert: those that the table has, but never the id, which the database gives.

    A table that is not there is `Unavailable`.
    """
    present = {record["attname"] for record in await QUERIES.fetch(connection, "present_columns", table_name=table)}
    if not present:
        raise Unavailable(
            "The database has no table coin_metrics: the tracker creates it; without one run sql/dev/coin_metrics.sql"
            if table == "coin_metrics"
            else f"The database has no table {table}: run `pumpcast migrate`"
        )
    return [name for name in names if name in present and name in TYPES[table]]


async def copy_rows(connection: Connection, table: str, rows: pa.Table, *, on_progress: Progress | None = None) -> None:
    """Stream rows into a table with one COPY, whose text form suits NUMERIC and double precision columns alike."""
    await connection.copy_to_table(
        table,
        source=_csv(rows, on_progress),
        columns=rows.column_names,
        format="csv",
        timeout=COPY_TIMEOUT_SECONDS,
    )


async def _csv(rows: pa.Table, on_progress: Progress | None) -> AsyncIterator[bytes]:
    options = pacsv.WriteOptions(include_header=False)
    for start in range(0, rows.num_rows, CHUNK_ROWS):
        chunk = rows.slice(start, CHUNK_ROWS)
        buffer = pa.BufferOutputStream()
        pacsv.write_csv(chunk, buffer, options)
        yield buffer.getvalue().to_pybytes()
        if on_progress:
            on_progress(start + chunk.num_rows)
