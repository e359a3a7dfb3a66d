"""Tables whose numbers are written in the language of the session, and still sort as numbers."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st
from babel.numbers import format_decimal

from streamlit_ui.formats import NOTHING, number
from streamlit_ui.session import language, zone

# A format as of a number column: %+.2f SOL
_PATTERN = re.compile(r"%(?P<sign>\+?)(?:\.(?P<digits>\d+))?(?P<kind>[dfg])(?P<unit>.*)", re.DOTALL)
_SOME_DIGITS = "#,##0.####"
_SHARE_DIGITS = "#,##0.##"
MOST_CELLS = 6_000
"""In a larger table it takes too long to write every number here."""


def dataframe(frame: Any, *, column_config: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """Draw what st.dataframe draws, which knows only points, or the browser's language."""
    options.setdefault("placeholder", NOTHING)
    rows = frame if isinstance(frame, pd.DataFrame) else pd.DataFrame(frame)
    unique = rows.index.is_unique and rows.columns.is_unique
    if language() == "en" or rows.size > MOST_CELLS or not unique:
        return st.dataframe(rows, column_config=column_config, **options)
    written: dict[Any, Any] = dict.fromkeys(rows.columns, _write)
    columns: dict[str, Any] = {}
    for name, one in (column_config or {}).items():
        pattern = _pattern(one)
        columns[name] = one
        if pattern is not None and name in written:
            written[name] = writer(pattern)
            # A format of its own would win.
            columns[name] = {**one, "type_config": {**one["type_config"], "format": None}}
    # One name for all: a random one would be another table each time.
    styled = rows.style.format(written, na_rep=NOTHING).set_uuid("table")
    return st.dataframe(styled, column_config=columns or None, **options)


def moment_column(label: str | None = None, *, seconds: bool = True, **options: Any) -> Any:
    """Give a column of moments, written on the session's clock as `formats.moment` writes one."""
    written = "YYYY-MM-DD HH:mm:ss" if seconds else "YYYY-MM-DD HH:mm"
    return st.column_config.DatetimeColumn(label, format=written, timezone=zone().key, **options)


def _pattern(column: Any) -> str | None:
    kind = column.get("type_config") if isinstance(column, dict) else None
    return kind.get("format") if kind and kind.get("type") == "number" else None


def writer(pattern: str) -> Callable[[Any], str]:
    """Give what writes a number as a column's format says, in the language of the session.

    >>> writer("%+.2f %%")(1.5)
    '+1.50 %'
    """
    if pattern == "localized":
        return lambda value: format_decimal(value, format=_SOME_DIGITS, locale=language())
    if pattern == "percent":
        return lambda value: f"{format_decimal(value * 100, format=_SHARE_DIGITS, locale=language())} %"
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        raise ValueError(pattern)
    sign, digits, kind, unit = found.group("sign", "digits", "kind", "unit")
    unit = unit.replace("%%", "%")

    def write(value: Any) -> str:
        if kind == "d":
            shown = str(int(value))
        elif kind == "g":
            shown = format(value, f".{digits or 6}g")
            shown = shown.replace(".", ",") if language() == "de" else shown
        else:
            shown = number(value, int(digits or 6))
        return f"{sign if value > 0 else ''}{shown}{unit}"

    return write


def _write(value: Any) -> str:
    if isinstance(value, float):
        return format_decimal(value, format=_SOME_DIGITS, locale=language())
    return str(value)
