"""Which cells hold a number, two bits each: casting the numbers themselves takes several times as long.

Features of plain numbers cannot overflow, so which of them are missing follows from the bits alone.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.columns import PRICE_COLUMNS
from shared.coin_metrics.rows import Floats

_MISSING, _ODD = 1, 2
_WIDTH = 2
_LARGEST = "1000000000000000"
# The quotient of two numbers within these bounds fits into float32 many times over.
_SMALLEST_PRICE = "0.000000000000001"
_INTEGERS = frozenset({"smallint", "integer", "bigint"})


def presence(columns: Sequence[str], types: Mapping[str, str]) -> str:
    """Give the SQL of an integer that tells for each column whether its number is plain, missing or odd."""
    parts = [_cell(name, types[name], _WIDTH * place) for place, name in enumerate(columns)]
    return f"({' + '.join(parts) or '0'})::int4"


def stand_ins(bits: NDArray[np.int64], columns: Sequence[str]) -> dict[str, Floats]:
    """Give 1.0 for each number and NaN where it is missing.

    >>> stand_ins(np.array([0, 1, 4]), ("volume_sol", "num_buys"))["num_buys"].tolist()
    [1.0, 1.0, nan]
    """
    complete = np.ones(len(bits))
    complete.flags.writeable = False
    values = {}
    for place, name in enumerate(columns):
        missing = (bits & (3 << _WIDTH * place)) != 0
        values[name] = np.where(missing, np.nan, 1.0) if missing.any() else complete
    return values


def any_odd(bits: NDArray[np.int64]) -> bool:
    """Tell whether a number is negative or of a size that features could overflow with.

    >>> any_odd(np.array([0, 1, 4])), any_odd(np.array([0, 8]))
    (False, True)
    """
    return bool(np.any(bits & 0xAAAAAAA))


def _cell(name: str, kind: str, shift: int) -> str:
    missing, odd = _MISSING << shift, _ODD << shift
    if kind == "boolean":
        return f"CASE WHEN {name} IS NULL THEN {missing} ELSE 0 END"
    if kind in _INTEGERS:
        lowest = 1 if name in PRICE_COLUMNS else 0
        none = f"{name} IS NULL" + (f" OR {name} <= 0" if lowest else "")
        return f"CASE WHEN {name} >= {lowest} THEN 0 WHEN {none} THEN {missing} ELSE {odd} END"
    lowest_number, none = "0", f"{name} IS NULL OR {name} IN ('NaN', 'Infinity', '-Infinity')"
    if name in PRICE_COLUMNS:
        lowest_number, none = _SMALLEST_PRICE, f"{none} OR {name} <= 0"
    return f"CASE WHEN {name} BETWEEN {lowest_number} AND {_LARGEST} THEN 0 WHEN {none} THEN {missing} ELSE {odd} END"
