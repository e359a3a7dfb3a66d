"""Single fields of requests: bounded, free of NUL, times with an offset."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

# The largest integer that every reader of JSON takes exactly; a bigint column holds more.
LARGEST_ID = 2**53 - 1
NO_NUL = r"^[^\x00]+$"
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _written_out(value: object) -> object:
    # Left alone, pydantic would take numbers for seconds since 1970, and dates for midnight.
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.fullmatch(value)):
        return value
    raise ValueError("must be a time with an offset, such as 2025-09-06T20:00:00Z (a + in an address is written %2B)")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie within the years 1 to 9999") from None


def _is_number(value: object) -> object:
    # 7.0 is an integer in JSON; "7" and true are not, though Python would take them.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be an integer")  # noqa: TRY004 - pydantic takes no other for a fault of the request
    return value


WHOLE_NUMBER = BeforeValidator(_is_number)
"""Behind the bounds of an integer in a JSON body."""
Id = Annotated[int, Field(ge=1, le=LARGEST_ID, strict=False), WHOLE_NUMBER]
"""An id in a JSON body."""
PathId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
"""An id in a path or query."""
CoinId = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL, description="The mint of a coin")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
"""RFC 3339; given in UTC."""
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
SendMode = Literal["all", "alerts_only", "positive_only", "negative_only"]
