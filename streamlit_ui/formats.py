"""Numbers and times for people: units, the language's separators, the session's clock; nothing known is a dash."""

import re
from datetime import UTC, datetime, timedelta

from babel.dates import format_timedelta
from babel.numbers import format_compact_decimal, format_decimal

from streamlit_ui.session import language, t, zone

NOTHING = "–"
# An underscore within a word means nothing.
_MARKS = re.compile(r"[\\`*\[\]<>$~|&]|(?<![^\W_])_|_(?![^\W_])|(:(?=[A-Za-z+]|//))|(@|[wW]{3}(?=\.)|-(?=[->]))")
# Colours nothing: addresses, emojis and dashes are looked for after all escapes are gone, but not across this.
_GAP = ":red[]"
# What would begin a list or a heading.
_FIRST = re.compile(r"^(\d*)([-+=#.)])(?=[-=# ]|$)")
_TICKS = re.compile("`+")
_PRICE_DIGITS = 4


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """Write a number with so many decimals and its unit."""
    if value is None:
        return NOTHING
    shown = format_decimal(value, format=f"#,##0.{'0' * digits}" if digits else "#,##0", locale=language())
    return f"{shown} {unit}" if unit else shown


def compact(value: float | None) -> str:
    """Write a large count shortly: 1.2M."""
    if value is None:
        return NOTHING
    if language() == "de" and 1e3 <= abs(value) < 1e6:  # noqa: PLR2004
        # German has no short form of thousands.
        return number(value)
    return format_compact_decimal(value, locale=language(), fraction_digits=1)


def share(value: float | None, digits: int = 1) -> str:
    """Write a share of 0..1 in percent."""
    return NOTHING if value is None else number(value * 100, digits, "%")


def percent(value: float | None, digits: int = 2, *, signed: bool = True) -> str:
    """Write a change that is in percent already, with its sign."""
    return with_sign(value, digits, "%") if signed else number(value, digits, "%")


def with_sign(value: float | None, digits: int = 0, unit: str = "") -> str:
    """Write a difference with its sign; what is nothing as it is written has none."""
    if value is None:
        return NOTHING
    rounded = round(value, digits) or 0.0
    shown = number(rounded, digits, unit)
    return f"+{shown}" if rounded > 0 else shown


def price(value: float | None) -> str:
    """Write a price: up to four decimals, one that is very small or large as a power of ten."""
    if value is None:
        return NOTHING
    if value == 0 or 1e-3 <= abs(value) < 1e9:  # noqa: PLR2004
        return format_decimal(value, format="#,##0.0###", locale=language())
    shown = f"{value:.{_PRICE_DIGITS - 1}e}"
    return shown.replace(".", ",") if language() == "de" else shown


def size(count: float | None) -> str:
    """Write a number of bytes."""
    if count is None:
        return NOTHING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024 or unit == "GiB":  # noqa: PLR2004
            return number(count, 0 if unit == "B" else 1, unit)
        count /= 1024
    raise AssertionError


def duration(seconds: float | None) -> str:
    """Write a length of time roughly: 3 minutes."""
    if seconds is None:
        return NOTHING
    return format_timedelta(timedelta(seconds=seconds), locale=language(), threshold=1.2)


def age(moment: datetime | None) -> str:
    """Write how long ago something was."""
    if moment is None:
        return t("words.never")
    passed = min(moment - datetime.now(UTC), timedelta(seconds=-1))
    return format_timedelta(passed, locale=language(), add_direction=True, threshold=1.2)


def moment(value: datetime | None, *, seconds: bool = True) -> str:
    """Write a moment on the session's clock; the page says which clock that is."""
    if value is None:
        return NOTHING
    return value.astimezone(zone()).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def plain(text: object) -> str:
    r"""Write words of others so that Markdown takes them as they are: no link, no picture, no colour, on one line.

    >>> print(plain("[x](http://a.b) :red[c] $d$ a_b"))
    \[x\](http\::red[]//a.b) \::red[]red\[c\] \$d\$ a_b
    """
    return _FIRST.sub(r"\1\\\2", _MARKS.sub(_escaped, " ".join(str(text).split())))


def _escaped(found: re.Match[str]) -> str:
    _, colon, sign = found.group(0, 1, 2)
    return f"{sign}{_GAP}" if sign else f"\\{found[0]}{_GAP if colon else ''}"


def code(text: object) -> str:
    """Write words of others as code, whatever marks are in them; not for within a colour, whose end they might be.

    >>> print(code("a `b` c"))
    `` a `b` c ``
    """
    shown = " ".join(str(text).split()) or NOTHING
    fence = "`" * (max(map(len, _TICKS.findall(shown)), default=0) + 1)
    return f"{fence}{shown}{fence}" if len(fence) == 1 else f"{fence} {shown} {fence}"
