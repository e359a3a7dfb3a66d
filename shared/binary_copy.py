"""Rows for PostgreSQL's COPY in its binary format, made of whole columns instead of row by row.

https://www.postgresql.org/docs/current/sql-copy.html, section "Binary Format": every value is its length and its bytes,
highest byte first; a missing one is the length -1.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Bools, Ints

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_END = struct.pack(">h", -1)
# PostgreSQL counts from 2000.
_EPOCH = 946_684_800_000_000
_BLOCK_BYTES = 1 << 25
_LONG_TEXT = 256
_TYPES = {
    np.dtype(np.bool_): ">u1",
    np.dtype(np.int16): ">i2",
    np.dtype(np.int32): ">i4",
    np.dtype(np.int64): ">i8",
    np.dtype(np.float64): ">f8",
}


@dataclass(frozen=True, slots=True)
class Column:
    """Values whose dtype is the column's type: bool_ boolean, int16, int32, int64, float64 double precision."""

    values: NDArray[Any]
    missing: Bools | None = None
    """Which are NULL; None: none."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text, each different value once."""

    values: Sequence[str]
    index: Ints
    """Which of the values each row has."""


Columns: TypeAlias = Sequence[Column | Text]


def timestamps(microseconds: Ints) -> Column:
    """Give a column of the type timestamptz from microseconds since 1970."""
    return Column(microseconds - _EPOCH)


def encode(columns: Columns) -> bytes:
    r"""Give the whole stream.

    >>> encode([Column(np.array([7], np.int16))])
    b'PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x07\xff\xff'

    """
    return b"".join((_HEADER, *_blocks(columns), _END))


def _blocks(columns: Columns) -> Iterator[bytes]:
    cells = [_text(one) if isinstance(one, Text) else _number(one) for one in columns]
    layout = np.dtype([("fields", ">i2"), *(field for number, one in enumerate(cells) for field in one.layout(number))])
    count = len(columns[0].index if isinstance(columns[0], Text) else columns[0].values)
    step = max(1, _BLOCK_BYTES // layout.itemsize)
    for first in range(0, count, step):
        yield _block(cells, layout, slice(first, min(first + step, count)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """A column as it is written: values of one width, of which some are shorter."""

    type: str
    values: NDArray[Any]
    index: Ints | None
    """Which of the values each row has; None: its own."""
    lengths: Ints | int
    """Of each of the values; -1: NULL."""

    def layout(self, number: int) -> list[tuple[str, str]]:
        return [(f"length_{number}", ">i4"), (f"value_{number}", self.type)]

    def of(self, rows: slice) -> tuple[NDArray[Any], Ints | int]:
        """Give values and lengths of some rows."""
        chosen = rows if self.index is None else self.index[rows]
        return self.values[chosen], self.lengths if isinstance(self.lengths, int) else self.lengths[chosen]


def _number(column: Column) -> _Cells:
    kind = _TYPES[column.values.dtype]
    size = np.dtype(kind).itemsize
    lengths = size if column.missing is None else np.where(column.missing, -1, size)
    return _Cells(type=kind, values=column.values, index=None, lengths=lengths)


def _text(column: Text) -> _Cells:
    encoded = [value.encode() for value in column.values]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    width = max(1, int(lengths.max(initial=0)))
    # One text of megabytes must not make all others as wide in memory.
    values = np.array(encoded, f"S{width}" if width <= _LONG_TEXT else np.object_)
    return _Cells(type=f"S{width}", values=values, index=column.index, lengths=lengths)


def _block(cells: Sequence[_Cells], layout: np.dtype[Any], rows: slice) -> bytes:
    block = np.empty(rows.stop - rows.start, layout)
    block["fields"] = len(cells)
    kept: Bools | None = None
    for number, one in enumerate(cells):
        values, lengths = one.of(rows)
        block[f"value_{number}"], block[f"length_{number}"] = values, lengths
        field, start = layout.fields[f"value_{number}"][:2]  # type: ignore[index]
        if isinstance(lengths, int) or (lengths == field.itemsize).all():
            continue
        if kept is None:
            kept = np.ones((len(block), layout.itemsize), np.bool_)
        kept[:, start : start + field.itemsize] = np.arange(field.itemsize) < lengths[:, None]
    if kept is None:
        return block.tobytes()
    # All rows were laid out alike; what is shorter, or not there, is left out of the bytes.
    return block.view(np.uint8).reshape(kept.shape)[kept].tobytes()
