"""Files of rows, parquet or CSV: read, recognised and checked as a whole before anything is inserted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from pumpcast.market.candle_rows import check_candles, checked_interval, intervals
from shared.coin_metrics.columns import COLUMNS
from shared.errors import Invalid

TableName = Literal["coin_metrics", "candles"]

COIN_TYPES: Final = {column.name: column.sql_type for column in COLUMNS if column.name != "id"}
CANDLE_TYPES: Final = {
    "symbol": "text",
    "interval": "text",
    "open_time": "timestamptz",
    **dict.fromkeys(("open", "high", "low", "close", "volume"), "double precision"),
}
TYPES: Final[dict[TableName, dict[str, str]]] = {"coin_metrics": COIN_TYPES, "candles": CANDLE_TYPES}
REQUIRED: Final[dict[TableName, tuple[str, ...]]] = {
    "coin_metrics": ("mint", "timestamp"),
    "candles": ("symbol", "open_time", "open", "high", "low", "close", "volume"),
}
NULL_WORDS: Final = ["", "NULL", "null", "\\N", "NA", "NaN", "nan", "None"]
TRUE_WORDS: Final = ("true", "t", "1", "1.0", "yes")
NO_ZONE: Final = "its times have no time zone; write them with one, like 2026-01-31T12:00:00Z"
FALSE_WORDS: Final = ("false", "f", "0", "0.0", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRows:
    """The checked rows of a file, in the order in which they are to be inserted."""

    table: TableName
    """The table they belong into."""
    rows: pa.Table
    """Its columns only; timestamps in microseconds UTC."""
    ignored: tuple[str, ...]
    """Columns of the file that the table does not know."""

    @property
    def time_column(self) -> str:
        """Give the column that tells when."""
        return "timestamp" if self.table == "coin_metrics" else "open_time"


def read_file(path: Path, *, table: TableName | None = None, interval: str | None = None) -> FileRows:
    """Read a file and check every column; anything that cannot be meant is an `Invalid` of one sentence.

    The table follows from the columns when not given, the `interval` of candles from their spacing.
    """
    interval = None if interval is None else checked_interval(interval)
    raw = _read(path)
    if not raw.num_rows:
        raise Invalid(f"{path.name} holds no rows")
    if len(set(raw.column_names)) < raw.num_columns:
        raise Invalid(f"{path.name} names a column twice")
    kind = table or _recognised(raw.column_names, path)
    types = TYPES[kind]
    missing = [name for name in REQUIRED[kind] if name not in raw.column_names]
    if missing:
        raise Invalid(f"{path.name} lacks {', '.join(missing)}, which every row of {kind} needs")
    rows = _in_id_order(raw, path) if kind == "coin_metrics" else raw
    columns = {name: _checked(rows[name], name, types[name], path) for name in types if name in rows.column_names}
    for name in REQUIRED[kind]:
        if columns[name].null_count:
            raise Invalid(f"{path.name}: {columns[name].null_count} rows have no {name}")
    if kind == "candles":
        columns["interval"] = intervals(columns, interval, path.name)
        check_candles(columns, path.name)
    ignored = tuple(name for name in raw.column_names if name not in types and name != "id")
    return FileRows(table=kind, rows=pa.table(columns), ignored=ignored)


def _read(path: Path) -> pa.Table:
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if not head:
            raise Invalid(f"{path.name} is empty")
        if head == b"PAR1":
            return pq.read_table(path)
        if path.suffix.lower() in {".parquet", ".pq"}:
            raise Invalid(f"{path.name} is not a parquet file")
        return _read_csv(path)
    except FileNotFoundError:
        raise Invalid(f"There is no file {path}") from None
    except IsADirectoryError:
        raise Invalid(f"{path} is a folder: give one file") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path.name} cannot be read, it is damaged or cut off: {_first_line(error)}") from error


def _read_csv(path: Path) -> pa.Table:
    with pacsv.open_csv(path) as reader:
        names = reader.schema.names
    # Everything as text first: then one set of checks serves both formats.
    options = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=NULL_WORDS,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    return pacsv.read_csv(path, convert_options=options)


def _recognised(names: list[str], path: Path) -> TableName:
    if "mint" in names or "timestamp" in names:
        return "coin_metrics"
    if "open_time" in names or "symbol" in names:
        return "candles"
    raise Invalid(
        f"{path.name} has neither mint and timestamp (coin_metrics) nor symbol and open_time (candles); "
        f"its columns are {', '.join(names[:12])}"
    )


def _in_id_order(rows: pa.Table, path: Path) -> pa.Table:
    # The database gives new ids in the order of insertion, and of repeated rows the highest id wins.
    if "id" not in rows.column_names:
        return rows
    numbers = _checked(rows["id"], "id", "bigint", path)
    return rows.take(pc.sort_indices(pa.table({"id": numbers}), sort_keys=[("id", "ascending")]))


def _checked(column: pa.ChunkedArray, name: str, sql_type: str, path: Path) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return _CHECKS[sql_type](column)
    except (pa.ArrowException, TypeError) as error:
        raise Invalid(f"{path.name}: column {name} cannot be {sql_type}: {_first_line(error)}") from error


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not _is_text(column.type):
        raise TypeError(f"it holds {column.type}")
    return pc.if_else(pc.equal(column, ""), None, column).cast(pa.large_string())


def _as_timestamp(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None:
            raise TypeError(NO_ZONE)
        return column.cast(pa.timestamp("us", "UTC"), safe=False)
    if not _is_text(column.type):
        raise TypeError(f"it holds {column.type}; write times like 2026-01-31T12:00:00Z")
    try:
        return column.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid as error:
        if "expected a zone offset" in str(error):
            raise TypeError(NO_ZONE) from error
        raise


def _as_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    numeric = (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    )
    if not (numeric or _is_text(kind)):
        raise TypeError(f"it holds {column.type}")
    # Decimals keep all their digits: the column of the database may be NUMERIC.
    return column if pa.types.is_decimal(kind) else column.cast(pa.float64())


def _as_integer(kind: pa.DataType) -> Callable[[pa.ChunkedArray], pa.ChunkedArray]:
    def convert(column: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_integer(column.type):
            return column.cast(kind)
        # A column with gaps often comes as floats, or as text like 3.0.
        numbers = _as_number(column).cast(pa.float64())
        return pc.if_else(pc.is_nan(numbers), None, numbers).cast(kind)

    return convert


def _as_boolean(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(column.type):
        return column
    if pa.types.is_null(column.type):
        return column.cast(pa.bool_())
    words = pc.utf8_lower(column.cast(pa.string()))
    words = pc.if_else(pc.equal(words, "nan"), None, words)
    true = pc.is_in(words, value_set=pa.array(TRUE_WORDS))
    false = pc.is_in(words, value_set=pa.array(FALSE_WORDS))
    strange = pc.filter(words, pc.invert(pc.or_(pc.or_(true, false), pc.is_null(words))))
    if len(strange):
        raise TypeError(f"it holds {strange[0].as_py()!r}")
    return pc.if_else(pc.is_null(words), None, true)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


_CHECKS: Final[dict[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]]] = {
    "text": _as_text,
    "timestamptz": _as_timestamp,
    "double precision": _as_number,
    "integer": _as_integer(pa.int32()),
    "bigint": _as_integer(pa.int64()),
    "boolean": _as_boolean,
}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
