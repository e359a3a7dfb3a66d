"""Columns that the server packs into one value, `string_agg(int8send(x), '')`: nothing is done for each element."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

_TYPES = {"smallint": ">i2", "integer": ">i4", "bigint": ">i8", "boolean": ">i1", "timestamptz": ">i8"}
# PostgreSQL counts from the year 2000.
_EPOCH = 946_684_800_000_000


def integers(
    packed: bytes | None, kind: Literal["smallint", "integer", "bigint", "boolean", "timestamptz"]
) -> NDArray[np.int64]:
    r"""Give int64[n]; times in microseconds since 1970 UTC; None, the aggregate of nothing, is empty.

    >>> integers(b"\x00\x07\xff\xff", "smallint").tolist()
    [7, -1]
    """
    values = np.frombuffer(packed or b"", _TYPES[kind]).astype(np.int64)
    return values + _EPOCH if kind == "timestamptz" else values


def doubles(packed: bytes | None) -> NDArray[np.float64]:
    r"""Give float64[n] of what `float8send` packed.

    >>> doubles(b"\x3f\xf8" + bytes(6)).tolist()
    [1.5]
    """
    return np.frombuffer(packed or b"", ">f8").astype(np.float64)
