"""Which cells hold a number, two bits each: casting the numbers themselves takes several times as long.

Features of plain numbers cannot overflow, so which of them are missing follows from the bits alone.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.columns import PRICE_COLUMNS
from shared.coin_metrics.rows import Floats
from shared.coin_metrics.table import as_number

_MISSING, _ODD, _HIGH = 1, 2, 3
_WIDTH = 2
_LARGEST = "1000000000000000"
# The quotient of two numbers within these bounds fits into float32 many times over.
_SMALLEST_PRICE = "0.000000000000001"
# Volumes of either sign can nearly cancel, and divide volumes: 200 within these bounds leave at least 1e-31 or nothing.
# Of one sign they cannot, whatever their size.
_VOLUMES = ("volume_sol", "buy_volume_sol", "sell_volume_sol")
_SMALLEST_VOLUME, _LARGEST_VOLUME = "0.000000000000001", "100000"
_NEGATIVE, _WIDE = 1 << 28, 1 << 29
_INTEGERS = frozenset({"smallint", "integer", "bigint"})


def presence(columns: Sequence[str], types: Mapping[str, str], levels: Mapping[str, float]) -> str:
    """Give the SQL of an integer that tells for each column whether its number is plain, missing, odd or high."""
    shifts = {name: _WIDTH * place for place, name in enumerate(columns)}
    parts = []
    for names in _alike(columns, types):
        cells = " | ".join(_cell(name, types[name], shifts[name], levels.get(name)) for name in names)
        # Most rows are plain, which one look at the smallest and the largest number of several tells.
        parts.append(f"CASE WHEN {_all_plain(names)} THEN 0 ELSE {cells} END" if len(names) > 1 else cells)
    return f"({' | '.join(parts) or '0'})::int4"


def stand_ins(bits: NDArray[np.int64], columns: Mapping[str, float]) -> dict[str, Floats]:
    """Give NaN for each number that is missing, else 1.0, or what the column names where the number is high.

    >>> stand_ins(np.array([0, 1, 4]), {"volume_sol": 1.0, "num_buys": 1.0})["num_buys"].tolist()
    [1.0, 1.0, nan]
    >>> stand_ins(np.array([0, 3]), {"bonding_curve_pct": 99.5})["bonding_curve_pct"].tolist()
    [1.0, 99.5]
    """
    complete = np.ones(len(bits))
    complete.flags.writeable = False
    values = {}
    for place, (name, high) in enumerate(columns.items()):
        kind = (bits >> _WIDTH * place) & 3
        if kind.any():
            values[name] = np.array([1.0, np.nan, 1.0, high])[kind]
        else:
            values[name] = complete
    return values


def odd_columns(bits: NDArray[np.int64], columns: Sequence[str]) -> frozenset[str]:
    """Give the columns in which some number is of a size that features could overflow with.

    >>> columns = ("volume_sol", "num_buys")
    >>> odd_columns(np.array([0, 1, 4, 3]), columns), odd_columns(np.array([0, 8]), columns)
    (frozenset(), frozenset({'num_buys'}))
    """
    kinds = np.unique(bits)
    cancelling = _VOLUMES if np.any(kinds & _NEGATIVE) and np.any(kinds & _WIDE) else ()
    return frozenset(
        name
        for place, name in enumerate(columns)
        if name in cancelling or np.any((kinds >> _WIDTH * place) & 3 == _ODD)
    )


def _alike(columns: Sequence[str], types: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Divide the columns into those of the same bounds and type."""
    for names in (PRICE_COLUMNS, _VOLUMES):
        for kind in ("numeric", "real", "double precision"):
            if alike := tuple(name for name in columns if name in names and types[name] == kind):
                yield alike
    for name in columns:
        fractional = types[name] in {"numeric", "real", "double precision"}
        if name not in (*PRICE_COLUMNS, *_VOLUMES) or not fractional:
            yield (name,)


def _all_plain(names: Sequence[str]) -> str:
    listed = ", ".join(names)
    low, high = (_SMALLEST_PRICE, _LARGEST) if names[0] in PRICE_COLUMNS else (_SMALLEST_VOLUME, _LARGEST_VOLUME)
    return f"num_nulls({listed}) = 0 AND least({listed}) >= {low} AND greatest({listed}) <= {high}"


def _cell(name: str, kind: str, shift: int, level: float | None) -> str:
    missing, odd = _MISSING << shift, _ODD << shift
    value = as_number(name, kind)
    if kind == "boolean" or (kind in _INTEGERS and name not in (*PRICE_COLUMNS, *_VOLUMES) and level is None):
        return f"CASE WHEN {name} IS NULL THEN {missing} ELSE 0 END"
    none = f"{value} IS NULL"
    if kind not in _INTEGERS:
        none += f" OR {value} IN ('NaN', 'Infinity', '-Infinity')"
    others = ""
    plain = f"{value} BETWEEN -{_LARGEST} AND {_LARGEST}"
    if name in PRICE_COLUMNS:
        plain, none = f"{value} BETWEEN {_SMALLEST_PRICE} AND {_LARGEST}", f"{none} OR {value} <= 0"
    elif name in _VOLUMES:
        plain = f"{value} BETWEEN {_SMALLEST_VOLUME} AND {_LARGEST_VOLUME} OR {value} = 0"
        negative = f"WHEN {value} BETWEEN -{_LARGEST_VOLUME} AND -{_SMALLEST_VOLUME} THEN {_NEGATIVE}"
        others = f"{negative} WHEN {value} > 0 AND {value} <= {_LARGEST} THEN {_WIDE} "
    high = "" if level is None else f"WHEN {_reaches(value, kind, level)} AND ({plain}) THEN {_HIGH << shift} "
    return f"CASE {high}WHEN {plain} THEN 0 {others}WHEN {none} THEN {missing} ELSE {odd} END"


def _reaches(value: str, kind: str, level: float) -> str:
    """Give the SQL that tells whether a number, rounded to double precision, is at or above a level."""
    if kind != "numeric":
        return f"{value} >= {level!r}"
    below = math.nextafter(level, -math.inf)
    with localcontext() as exact:
        exact.prec = 1100
        middle = (Decimal(level) + Decimal(below)) / 2
    # A number half way is rounded to the neighbour whose last bit is 0.
    return f"{value} {'>=' if _is_even(level) else '>'} {middle:f}"


def _is_even(number: float) -> bool:
    return not int(np.float64(number).view(np.int64)) & 1
