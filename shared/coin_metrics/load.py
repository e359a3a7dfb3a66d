"""Load a stretch of `coin_metrics` for training: through ADBC into Arrow, a fraction of the time and memory of rows."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from shared.coin_metrics.arrow import fetch, run
from shared.coin_metrics.assemble import TrainingRows, assemble
from shared.coin_metrics.clock import AHEAD, recording_clock
from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.presence import presence
from shared.coin_metrics.read import moment
from shared.coin_metrics.sample import CoinSample, Sampled, fitting_share
from shared.coin_metrics.table import FIXED, casts
from shared.coin_metrics.table import queries as table_queries
from shared.db import Queries
from shared.errors import JobFailed, Unavailable

__all__ = ["ColumnsMissing", "LoadTookTooLong", "TrainingRows", "Wanted", "load", "load_range"]

_queries = Queries.beside(__file__)
_FINISHED_PHASES = frozenset({99, 100})
_OUT_OF_RANGE = "22003"
_CANCELLED = "57014"


class ColumnsMissing(JobFailed):
    """The table lacks columns without which the work cannot be done."""

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__(f"coin_metrics has no column {' and no column '.join(columns)}")
        self.columns = tuple(columns)


class LoadTookTooLong(Unavailable):
    """A statement did not end in time: the table is locked or the machine busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A stretch of `coin_metrics` to read."""

    start: datetime
    end: datetime
    """Included."""
    horizon_minutes: int
    """So much of what follows is read as well."""
    history_rows: int
    """So many rows of each coin before the start."""
    columns: Sequence[str]
    presence_of: Sequence[str] = ()
    """Further columns that are needed; 1.0 stands for each of their numbers."""
    optional_columns: Sequence[str] = ()
    """Left missing where the table lacks them."""
    sample: CoinSample | None = None
    """One of share 1 leaves out no coin, and lets the refusal of too many rows name a share that would fit."""
    max_rows: int | None = None
    patience_seconds: float | None = None
    """A statement that takes longer is ended."""

    @property
    def sampled(self) -> str:
        """Give the SQL that tells whether a coin is read."""
        return "true" if self.sample is None else self.sample.condition_sql


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
    """Read all coins from start to end, their horizon and their histories; see `load`."""
    wanted = Wanted(
        start=start,
        end=end,
        horizon_minutes=horizon_minutes,
        history_rows=history_rows,
        columns=columns,
        optional_columns=optional_columns,
        max_rows=max_rows,
    )
    return load(dsn, wanted)


def load(dsn: str, wanted: Wanted) -> TrainingRows:
    """Read the rows of a window, those of the horizon after it and some of each coin before it.

    All queries see one snapshot. Nothing newer than the recording clock is read.

    Raises:
        JobFailed: the table or a column is missing, no row lies in the window, or more than `max_rows` would be loaded.
        LoadTookTooLong: a statement took more than the patience.

    """
    from adbc_driver_manager import Error

    try:
        try:
            return _load(dsn, wanted, safe=False)
        except Error as error:
            if error.sqlstate != _OUT_OF_RANGE:
                raise
        return _load(dsn, wanted, safe=True)
    except Error as error:
        if error.sqlstate == _CANCELLED:
            raise LoadTookTooLong(f"reading coin_metrics took longer than {wanted.patience_seconds:g} s") from error
        raise


def _load(dsn: str, wanted: Wanted, *, safe: bool) -> TrainingRows:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if wanted.patience_seconds is not None:
            cursor.execute(f"SET LOCAL statement_timeout = {round(wanted.patience_seconds * 1000)}")
        types = _types(cursor, wanted)
        clock_us = _read_clock(cursor)
        until = min(wanted.end + timedelta(minutes=wanted.horizon_minutes), moment(clock_us))
        last = min(wanted.end, until)
        counted, sampled = _count(cursor, wanted, until=until, last=last)
        parts = casts(types, [name for name in (*wanted.columns, *wanted.optional_columns) if name in types], safe=safe)
        names = [part.rpartition(" ")[2] for part in parts]
        if wanted.presence_of:
            parts.append(f"{presence(wanted.presence_of, types)} AS presence")
            names.append("presence")
        select = "".join(f", {part}" for part in dict.fromkeys(parts))
        only = {"sampled": wanted.sampled}
        tables = [fetch(cursor, _queries["rows"], columns=select, start=wanted.start, until=until, **only)]
        window = {"start": wanted.start, "end_": last}
        seen = None
        if until < moment(clock_us):
            # Else everything up to the clock is read anyway.
            seen = fetch(cursor, _queries["last_seen"], clock=moment(clock_us), **window, **only)
        if wanted.history_rows > 0:
            names_of = "".join(f", h.{name}" for name in dict.fromkeys(names))
            limit = str(wanted.history_rows)
            run(cursor, _queries["history"], columns=select, names=names_of, limit=limit, **window, **only)
            tables.append(_bounded(cursor, wanted, until=until, before=counted))
        untracked = _read_untracked(cursor)
    found = assemble(
        tables,
        seen,
        presence_of=wanted.presence_of,
        start=wanted.start,
        end=last,
        clock_us=clock_us,
        untracked=untracked,
        sampled=sampled,
    )
    if not found.in_window.any():
        raise JobFailed(_nothing(wanted))
    return found


def _types(cursor: Any, wanted: Wanted) -> dict[str, str]:
    present = fetch(cursor, table_queries["columns"])
    types = dict(zip(present["name"].to_pylist(), present["type"].to_pylist(), strict=True))
    if not types:
        raise JobFailed("the table coin_metrics does not exist: start the tracker, or run `pumpcast load`")
    needed = {*FIXED, *wanted.columns, *wanted.presence_of}.difference(types)
    missing = [name for name in (*FIXED, *BASE_FEATURES) if name in needed]
    if missing:
        raise ColumnsMissing(missing)
    return types


def _count(cursor: Any, wanted: Wanted, *, until: datetime, last: datetime) -> tuple[int, Sampled | None]:
    sampled = None
    if wanted.sample is not None and not wanted.sample.takes_all:
        coins = fetch(cursor, _queries["coins"], start=wanted.start, end_=last, sampled=wanted.sampled)
        kept, present = coins["kept"][0].as_py(), coins["present"][0].as_py()
        if present and not kept:
            raise JobFailed(
                f"sample_by_coin {wanted.sample.share:g} takes none of the {present} coins of the window: "
                "ask for a larger share"
            )
        sampled = Sampled(share=wanted.sample.share, kept=kept, present=present)
    rows = fetch(cursor, _queries["count"], start=wanted.start, until=until, sampled=wanted.sampled)["rows"][0].as_py()
    if rows == 0:
        raise JobFailed(_nothing(wanted))
    if wanted.max_rows is not None and rows > wanted.max_rows:
        raise JobFailed(
            f"the window holds {rows} rows, more than MAX_TRAINING_ROWS ({wanted.max_rows}): "
            f"take a shorter window or raise the setting{_hint(cursor, wanted, until=until)}"
        )
    return rows, sampled


def _hint(cursor: Any, wanted: Wanted, *, until: datetime) -> str:
    if wanted.sample is None or wanted.max_rows is None:
        return ""
    sizes = fetch(cursor, _queries["sizes"], start=wanted.start, until=until, hash=wanted.sample.hash_sql)
    hashes = np.array([int(digits, 16) for digits in sizes["hash"].to_pylist()], np.int64)
    share = fitting_share(hashes, sizes["rows"].to_numpy() + wanted.history_rows, wanted.max_rows)
    return "" if share is None else f"; sample_by_coin {share:g} would fit as well"


def _bounded(cursor: Any, wanted: Wanted, *, until: datetime, before: int) -> Any:
    """Fetch a result piece by piece, so that one too many is refused before it fills the memory."""
    import pyarrow as pa

    reader = cursor.fetch_record_batch()
    pieces, rows = [], before
    for piece in reader:
        rows += piece.num_rows
        if wanted.max_rows is not None and rows > wanted.max_rows:
            reader.close()
            raise JobFailed(
                f"the window holds {before} rows, with the history before them more than MAX_TRAINING_ROWS "
                f"({wanted.max_rows}): take a shorter window, features that look back less far, or raise the setting"
                f"{_hint(cursor, wanted, until=until)}"
            )
        pieces.append(piece)
    return pa.Table.from_batches(pieces, reader.schema)


def _read_clock(cursor: Any) -> int:
    import pyarrow as pa

    wall = time.time_ns() // 1000
    limit = moment(wall + AHEAD)
    table = fetch(cursor, table_queries["clock_rows"], limit=limit)
    few = bool(fetch(cursor, table_queries["few_coins"], limit=limit)["few"][0].as_py())
    times = table["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    coins = table["mint"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    clock = recording_clock(times, coins, wall=wall, few_coins=few)
    if clock is None:
        raise JobFailed("coin_metrics holds no rows: load some with `pumpcast load`, or let the tracker run")
    return clock


def _read_untracked(cursor: Any) -> frozenset[int]:
    from adbc_driver_manager import Error

    try:
        return frozenset(fetch(cursor, _queries["untracked"])["id"].to_pylist())
    except Error:
        # Not every tracker keeps this table; these two numbers are the ones all of them use.
        return _FINISHED_PHASES


def _nothing(wanted: Wanted) -> str:
    span = f"from {wanted.start.isoformat()} to {wanted.end.isoformat()}"
    return f"coin_metrics holds no rows {span}: GET /data-availability says which times it covers"
