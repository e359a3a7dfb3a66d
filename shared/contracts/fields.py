"""Field types of the wire models: what a text, a time or an id may be, checked and told in the schema alike."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

# One line that neither starts nor ends with a blank: no control characters, no NUL, which PostgreSQL refuses.
_LINE = "^[!-~\u00a1-\U0010ffff]([ -~\u00a0-\U0010ffff]*[!-~\u00a1-\U0010ffff])?$"
_TEXT = "^[^\\x00]*$"

BIGINT_MAX = 2**63 - 1
INT_MAX = 2**31 - 1


def _read_time(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("must be an RFC 3339 time with an offset, like 2025-09-05T20:00:00Z")
    try:
        return datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    except ValueError as error:
        raise ValueError(f"is no time: {error}") from error


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs an offset, like 2025-09-05T20:00:00Z")
    if not _FIRST <= value <= _LAST:
        raise ValueError("must lie between the years 1970 and 2200")
    return value.astimezone(UTC)


Timestamp = Annotated[
    datetime,
    BeforeValidator(_read_time),
    AfterValidator(_to_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment with an offset, given back in UTC."""

Name = Annotated[str, Field(min_length=1, max_length=190, pattern=_LINE)]
"""One line for people."""
Description = Annotated[str, Field(max_length=2000, pattern=_TEXT)]
Id = Annotated[int, Field(ge=1, le=BIGINT_MAX)]


class Request(BaseModel):
    """A body that is refused when it holds anything unknown or of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=(), allow_inf_nan=False)


class Answer(BaseModel):
    """What a service says; a reader of another version skips what it does not know."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class Warned(Answer):
    """Something a user should know although the work goes on."""

    code: str
    message: str


JsonObject = dict[str, Any]
