"""What every reader of `coin_metrics` asks of it alike: its columns, numbers as doubles, what moves its clock."""

from collections.abc import Iterable, Mapping

from shared.db import Queries

queries = Queries.beside(__file__)
"""`columns`, `clock_rows`, `few_coins` and `untracked`; their results mean the same through any driver."""

FIXED = ("id", "mint", "timestamp", "phase_id_at_time")
"""Columns without which nothing can be read."""

FINISHED_PHASES = frozenset({99, 100})
"""Untracked phases where no table says which they are: not every tracker keeps one, these numbers all of them use."""

NUMBERS = frozenset({"numeric", "real", "double precision", "smallint", "integer", "bigint"})
"""Types that compare with numbers as they are."""


def casts(types: Mapping[str, str], columns: Iterable[str], *, safe: bool) -> list[str]:
    """Give the entries of a select list that read columns as double precision, NULL for those the table lacks.

    `safe` is for tables with numbers that no double holds: they read as NULL or 0.
    """
    return [f"{_cast(name, types.get(name), safe=safe)} AS {name}" for name in columns]


def as_number(name: str, kind: str) -> str:
    """Give the SQL of a column as something that compares with numbers."""
    return name if kind in NUMBERS else f"({name}::float8)"


def _cast(name: str, kind: str | None, *, safe: bool) -> str:
    if kind is None:
        return "NULL::float8"
    if kind == "boolean":
        return f"{name}::int::float8"
    if not safe:
        # NUMERIC would come as text.
        return f"{name}::float8"
    size = f"abs({name}::numeric)"
    return f"CASE WHEN {size} < 1e-300 THEN 0 WHEN {size} < 1e300 THEN {name}::float8 END"
