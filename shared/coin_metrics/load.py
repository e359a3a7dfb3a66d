"""Load a stretch of `coin_metrics` for training: through ADBC into Arrow, a fraction of the time and memory of rows."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.clock import AHEAD, recording_clock
from shared.coin_metrics.read import microseconds, moment
from shared.coin_metrics.rows import CoinRows
from shared.coin_metrics.table import FIXED, casts
from shared.coin_metrics.table import queries as table_queries
from shared.db import Queries, Query
from shared.errors import JobFailed

_queries = Queries.beside(__file__)
_FINISHED_PHASES = frozenset({99, 100})
_OUT_OF_RANGE = "22003"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRows:
    """Rows of a window with what comes before and after it."""

    rows: CoinRows
    """Each (coin, timestamp) once, sorted by coin and timestamp; only coins with a row in the window."""
    in_window: NDArray[np.bool_]
    """bool[n]: the row lies in the window itself, bounds included."""
    last_seen: NDArray[np.int64]
    """int64[coins]: newest timestamp of each coin in the whole table, up to the clock, microseconds."""
    clock_us: int
    """The recording clock in microseconds."""
    untracked_phases: frozenset[int]
    """Phases in which a coin is not recorded any more."""


def load_range(
    dsn: str,
    *,
    start: datetime,
    end: datetime,
    horizon_minutes: int,
    history_rows: int,
    columns: Sequence[str],
    optional_columns: Sequence[str] = (),
    max_rows: int | None = None,
) -> TrainingRows:
    """Read the rows from start to end, those of the horizon after it and `history_rows` rows of each coin before it.

    All queries see one snapshot. Nothing newer than the recording clock is read.

    Raises:
        JobFailed: the table or a column is missing, no row lies in the window, or more than `max_rows` would be loaded.

    """
    from adbc_driver_manager import Error

    wanted = _Wanted(
        start=start, end=end, reach=timedelta(minutes=horizon_minutes), history_rows=history_rows, max_rows=max_rows
    )
    try:
        return _load(dsn, wanted, columns, optional_columns, safe=False)
    except Error as error:
        if error.sqlstate != _OUT_OF_RANGE:
            raise
    return _load(dsn, wanted, columns, optional_columns, safe=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    start: datetime
    end: datetime
    reach: timedelta
    history_rows: int
    max_rows: int | None


def _load(dsn: str, wanted: _Wanted, columns: Sequence[str], optional: Sequence[str], *, safe: bool) -> TrainingRows:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        chosen = _choose_columns(_fetch(cursor, table_queries["columns"]), columns, optional)
        clock_us = _read_clock(cursor)
        until = min(wanted.end + wanted.reach, moment(clock_us))
        last = min(wanted.end, until)
        counted = _fetch(cursor, _queries["count"], start=wanted.start, until=until)["rows"][0].as_py()
        _check_count(counted, wanted)
        select = "".join(f", {part}" for part in casts(chosen, chosen, safe=safe))
        tables = [_fetch(cursor, _queries["rows"], columns=select, start=wanted.start, until=until)]
        window = {"start": wanted.start, "end_": last}
        seen = _fetch(cursor, _queries["last_seen"], clock=moment(clock_us), **window)
        if wanted.history_rows > 0:
            names = "".join(f", h.{name}" for name in chosen)
            limit = str(wanted.history_rows)
            _run(cursor, _queries["history"], columns=select, names=names, limit=limit, **window)
            tables.append(_bounded(cursor, before=counted, wanted=wanted))
        untracked = _read_untracked(cursor)
    return _assemble(tables, seen, start=wanted.start, end=last, clock_us=clock_us, untracked=untracked)


def _assemble(
    tables: list[Any], seen: Any, *, start: datetime, end: datetime, clock_us: int, untracked: frozenset[int]
) -> TrainingRows:
    import pyarrow as pa

    rows = CoinRows.from_arrow(pa.concat_tables(tables))
    # Five million rows exist twice in memory from here on; not three times.
    tables.clear()
    rows = rows.deduplicated()
    in_window = (rows.timestamp >= microseconds(start)) & (rows.timestamp <= microseconds(end))
    if not in_window.any():
        raise JobFailed(_nothing(start, end))
    present = np.zeros(len(rows.mints), np.bool_)
    present[rows.coin[in_window]] = True
    # Coins that only appear after the window teach nothing.
    kept = present[rows.coin]
    newest = dict(
        zip(
            seen["mint"].to_pylist(),
            seen["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist(),
            strict=True,
        )
    )
    last_seen = np.array([newest.get(mint) or 0 for mint in rows.mints], np.int64)
    return TrainingRows(
        rows=rows if kept.all() else rows.take(kept),
        in_window=in_window[kept],
        last_seen=last_seen,
        clock_us=clock_us,
        untracked_phases=untracked,
    )


def _read_clock(cursor: Any) -> int:
    import pyarrow as pa

    wall = time.time_ns() // 1000
    limit = moment(wall + AHEAD)
    table = _fetch(cursor, table_queries["clock_rows"], limit=limit)
    few = bool(_fetch(cursor, table_queries["few_coins"], limit=limit)["few"][0].as_py())
    times = table["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    coins = table["mint"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    clock = recording_clock(times, coins, wall=wall, few_coins=few)
    if clock is None:
        raise JobFailed("coin_metrics holds no rows: load some with `pumpcast load`, or let the tracker run")
    return clock


def _read_untracked(cursor: Any) -> frozenset[int]:
    from adbc_driver_manager import Error

    try:
        return frozenset(_fetch(cursor, _queries["untracked"])["id"].to_pylist())
    except Error:
        # Not every tracker keeps this table; these two numbers are the ones all of them use.
        return _FINISHED_PHASES


def _choose_columns(present: Any, needed: Sequence[str], optional: Sequence[str]) -> dict[str, str]:
    types = dict(zip(present["name"].to_pylist(), present["type"].to_pylist(), strict=True))
    if not types:
        raise JobFailed("the table coin_metrics does not exist: start the tracker, or run `pumpcast load`")
    missing = [name for name in (*FIXED, *needed) if name not in types]
    if missing:
        raise JobFailed(f"coin_metrics has no column {' and no column '.join(missing)}")
    return {name: types[name] for name in dict.fromkeys((*needed, *optional)) if name in types}


def _check_count(rows: int, wanted: _Wanted) -> None:
    if rows == 0:
        raise JobFailed(_nothing(wanted.start, wanted.end))
    if wanted.max_rows is not None and rows > wanted.max_rows:
        raise JobFailed(
            f"the window holds {rows} rows, more than MAX_TRAINING_ROWS ({wanted.max_rows}): "
            "take a shorter window or raise the setting"
        )


def _bounded(cursor: Any, *, before: int, wanted: _Wanted) -> Any:
    """Fetch a result piece by piece, so that one too many is refused before it fills the memory."""
    import pyarrow as pa

    reader = cursor.fetch_record_batch()
    pieces, rows = [], before
    for piece in reader:
        rows += piece.num_rows
        if wanted.max_rows is not None and rows > wanted.max_rows:
            raise JobFailed(
                f"the window holds {before} rows, with the history before them more than MAX_TRAINING_ROWS "
                f"({wanted.max_rows}): take a shorter window, features that look back less far, or raise the setting"
            )
        pieces.append(piece)
    return pa.Table.from_batches(pieces, reader.schema)


def _nothing(start: datetime, end: datetime) -> str:
    span = f"from {start.isoformat()} to {end.isoformat()}"
    return f"coin_metrics holds no rows {span}: GET /data-availability says which times it covers"


def _fetch(cursor: Any, query: Query, /, **values: datetime | str) -> Any:
    """Run a query and give its result as a table."""
    _run(cursor, query, **values)
    return cursor.fetch_arrow_table()


def _run(cursor: Any, query: Query, /, **values: datetime | str) -> None:
    """Run a query; moments become literals, since a bound parameter would cost the driver its COPY path."""
    moments = [f"timestamptz '{value.isoformat()}'" if isinstance(value, datetime) else "" for value in values.values()]
    literals = dict(zip(values, moments, strict=True))
    text = re.sub(r"\$(\d+)", lambda match: literals[query.parameters[int(match[1]) - 1]], query.text)
    fragments = {key: value for key, value in values.items() if isinstance(value, str)}
    cursor.execute(re.sub(r"\{(\w+)\}", lambda match: fragments[match[1]], text))
