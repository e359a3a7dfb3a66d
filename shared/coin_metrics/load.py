"""Load a stretch of `coin_metrics` for training: through ADBC into Arrow, a fraction of the time and memory of rows."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from shared.coin_metrics.arrow import Snapshot, snapshot
from shared.coin_metrics.assemble import TrainingRows, assemble
from shared.coin_metrics.clock import AHEAD, recording_clock
from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.presence import presence
from shared.coin_metrics.read import moment
from shared.coin_metrics.sample import CoinSample, Sampled, fitting_share
from shared.coin_metrics.table import FINISHED_PHASES, FIXED, NUMBERS, casts
from shared.coin_metrics.table import queries as table_queries
from shared.db import Queries
from shared.errors import JobFailed, Unavailable

__all__ = ["ColumnsMissing", "LoadTookTooLong", "TrainingRows", "Wanted", "load", "load_range"]

_queries = Queries.beside(__file__)
_OUT_OF_RANGE = "22003"
_CANCELLED, _LOCKED = "57014", "55P03"
# No operator, no cast, another type than expected; a text that is no number.
_WRONG_TYPE = frozenset({"42883", "42846", "42804", "42703", "22P02"})
# A plan may be wrong; up to so much of what is allowed the rows are read without being counted before.
_SURE = 0.5


class ColumnsMissing(JobFailed):
    """The table lacks columns without which the work cannot be done."""

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__(f"coin_metrics has no column {' and no column '.join(columns)}")
        self.columns = tuple(columns)


class LoadTookTooLong(Unavailable):
    """The statements did not end in time: the table is locked or the machine busy."""


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
    levels: Mapping[str, float] = field(default_factory=dict)
    """Of those, the ones where the level stands for a number that reaches it."""
    optional_columns: Sequence[str] = ()
    """Left missing where the table lacks them."""
    sample: CoinSample | None = None
    """One of share 1 leaves out no coin, and lets the refusal of too many rows name a share that would fit."""
    max_rows: int | None = None
    patience_seconds: float | None = None
    """All statements together; None: generous limits of each."""

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

    patience = wanted.patience_seconds
    deadline = None if patience is None else time.monotonic() + patience
    late = f"reading coin_metrics took longer than {'an hour' if patience is None else f'{patience:g} s'}"
    try:
        try:
            return _load(dsn, wanted, deadline, safe=False)
        except Error as error:
            if error.sqlstate != _OUT_OF_RANGE:
                raise
        return _load(dsn, wanted, deadline, safe=True)
    except TimeoutError as error:
        raise LoadTookTooLong(late) from error
    except Error as error:
        if error.sqlstate == _CANCELLED:
            raise LoadTookTooLong(late) from error
        if error.sqlstate == _LOCKED:
            raise LoadTookTooLong("coin_metrics is locked by another session: try again when that has ended") from error
        raise


def _load(dsn: str, wanted: Wanted, deadline: float | None, *, safe: bool) -> TrainingRows:
    from adbc_driver_manager import Error

    with snapshot(dsn, deadline=deadline) as view:
        types = _types(view, wanted)
        try:
            return _read(view, wanted, types, safe=safe)
        except Error as error:
            named = [
                name for name in (*wanted.columns, *wanted.presence_of) if types[name] not in {*NUMBERS, "boolean"}
            ]
            if error.sqlstate not in _WRONG_TYPE or not named:
                raise
            told = " and ".join(f"{name} of type {types[name]}" for name in named)
            raise JobFailed(f"coin_metrics has {told}, which cannot be read as numbers") from error


def _read(view: Snapshot, wanted: Wanted, types: Mapping[str, str], *, safe: bool) -> TrainingRows:
    clock_us = _read_clock(view)
    until = min(wanted.end + timedelta(minutes=wanted.horizon_minutes), moment(clock_us))
    last = min(wanted.end, until)
    sampled = _sample(view, wanted, last=last)
    parts = casts(types, [name for name in (*wanted.columns, *wanted.optional_columns) if name in types], safe=safe)
    names = [part.rpartition(" ")[2] for part in parts]
    if wanted.presence_of:
        parts.append(f"{presence(wanted.presence_of, types, wanted.levels)} AS presence")
        names.append("presence")
    select = "".join(f", {part}" for part in dict.fromkeys(parts))
    only = {"sampled": wanted.sampled}
    tables = [_window(view, wanted, select, until=until)]
    window = {"start": wanted.start, "end_": last}
    seen = None
    if until < moment(clock_us):
        # Else everything up to the clock is read anyway.
        seen = view.fetch(_queries["last_seen"], clock=moment(clock_us), **window, **only)
    if wanted.history_rows > 0:
        names_of = "".join(f", h.{name}" for name in dict.fromkeys(names))
        limit, counted = str(wanted.history_rows), tables[0].num_rows
        pieces = view.batches(_queries["history"], columns=select, names=names_of, limit=limit, **window, **only)
        history = _bounded(pieces, wanted, before=counted)
        if history is None:
            raise JobFailed(
                f"the window holds {counted} rows, with the history before them more than MAX_TRAINING_ROWS "
                f"({wanted.max_rows}): take a shorter window, features that look back less far, or raise the setting"
                f"{_hint(view, wanted, until=until)}"
            )
        tables.append(history)
    untracked = _read_untracked(view)
    found = assemble(
        tables,
        seen,
        presence_of={name: wanted.levels.get(name, 1.0) for name in wanted.presence_of},
        start=wanted.start,
        end=last,
        clock_us=clock_us,
        untracked=untracked,
        sampled=sampled,
    )
    if not found.in_window.any():
        raise JobFailed(_nothing(wanted))
    return found


def _types(view: Snapshot, wanted: Wanted) -> dict[str, str]:
    present = view.fetch(table_queries["columns"])
    types = dict(zip(present["name"].to_pylist(), present["type"].to_pylist(), strict=True))
    if not types:
        raise JobFailed("the table coin_metrics does not exist: start the tracker, or run `pumpcast load`")
    needed = {*FIXED, *wanted.columns, *wanted.presence_of}.difference(types)
    missing = [name for name in (*FIXED, *BASE_FEATURES) if name in needed]
    if missing:
        raise ColumnsMissing(missing)
    return types


def _sample(view: Snapshot, wanted: Wanted, *, last: datetime) -> Sampled | None:
    if wanted.sample is None or wanted.sample.takes_all:
        return None
    coins = view.fetch(_queries["coins"], start=wanted.start, end_=last, sampled=wanted.sampled)
    kept, present = coins["kept"][0].as_py(), coins["present"][0].as_py()
    if present and not kept:
        raise JobFailed(
            f"sample_by_coin {wanted.sample.share:g} takes none of the {present} coins of the window: "
            "ask for a larger share"
        )
    return Sampled(share=wanted.sample.share, kept=kept, present=present)


def _window(view: Snapshot, wanted: Wanted, select: str, *, until: datetime) -> Any:
    """Fetch the rows of the window, of which there may be too many or none."""
    given: dict[str, datetime | str] = {"start": wanted.start, "until": until, "sampled": wanted.sampled}
    most = wanted.max_rows
    if most is None or view.estimate(_queries["rows"], columns=select, **given) <= most * _SURE:
        rows = _bounded(view.batches(_queries["rows"], columns=select, **given), wanted, before=0)
    else:
        rows = None
    if rows is None:
        counted = view.fetch(_queries["count"], **given)["rows"][0].as_py()
        if most is not None and counted > most:
            raise JobFailed(
                f"the window holds {counted} rows, more than MAX_TRAINING_ROWS ({most}): "
                f"take a shorter window or raise the setting{_hint(view, wanted, until=until)}"
            )
        rows = view.fetch(_queries["rows"], columns=select, **given)
    if rows.num_rows == 0:
        raise JobFailed(_nothing(wanted))
    return rows


def _hint(view: Snapshot, wanted: Wanted, *, until: datetime) -> str:
    if wanted.sample is None or wanted.max_rows is None:
        return ""
    sizes = view.fetch(_queries["sizes"], start=wanted.start, until=until, hash=wanted.sample.hash_sql)
    hashes = np.array([int(digits, 16) for digits in sizes["hash"].to_pylist()], np.int64)
    share = fitting_share(hashes, sizes["rows"].to_numpy() + wanted.history_rows, wanted.max_rows)
    return "" if share is None else f"; sample_by_coin {share:g} would fit as well"


def _bounded(reader: Any, wanted: Wanted, *, before: int) -> Any:
    """Fetch a result piece by piece; None as soon as there is one row too many, before that fills the memory."""
    import pyarrow as pa

    pieces, rows = [], before
    for piece in reader:
        rows += piece.num_rows
        if wanted.max_rows is not None and rows > wanted.max_rows:
            reader.close()
            return None
        pieces.append(piece)
    return pa.Table.from_batches(pieces, reader.schema)


def _read_clock(view: Snapshot) -> int:
    import pyarrow as pa

    wall = time.time_ns() // 1000
    limit = moment(wall + AHEAD)
    table = view.fetch(table_queries["clock_rows"], limit=limit)
    few = bool(view.fetch(table_queries["few_coins"], limit=limit)["few"][0].as_py())
    times = table["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    coins = table["mint"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    clock = recording_clock(times, coins, wall=wall, few_coins=few)
    if clock is None:
        raise JobFailed("coin_metrics holds no rows: load some with `pumpcast load`, or let the tracker run")
    return clock


def _read_untracked(view: Snapshot) -> frozenset[int]:
    from adbc_driver_manager import Error

    try:
        return frozenset(view.fetch(table_queries["untracked"])["id"].to_pylist())
    except Error as error:
        if error.sqlstate in {_CANCELLED, _LOCKED}:
            raise
        return FINISHED_PHASES


def _nothing(wanted: Wanted) -> str:
    span = f"from {wanted.start.isoformat()} to {wanted.end.isoformat()}"
    return f"coin_metrics holds no rows {span}: GET /data-availability says which times it covers"
