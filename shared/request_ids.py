"""The id by which one request is found again: in the app, in both services, in their workers and at a receiver."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

HEADER: Final = "X-Request-ID"
_BYTES: Final = 8
_FORM: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def new_request_id() -> str:
    """Give an id that nothing else has."""
    return secrets.token_hex(_BYTES)


def take_request_id(given: str) -> str:
    """Give the id that a caller sent, or a new one where that may be anything.

    >>> take_request_id("import-7"), len(take_request_id("two words"))
    ('import-7', 16)
    """
    return given if _FORM.fullmatch(given) else new_request_id()


def current_request_id() -> str | None:
    """Give the id of the request that is being answered here; None where there is none."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


def request_headers() -> dict[str, str]:
    """Give what sends the id on with a request of our own."""
    request_id = current_request_id()
    return {} if request_id is None else {HEADER: request_id}


@contextmanager
def following(request_id: str | None, **fields: object) -> Iterator[None]:
    """Have every log line of a block carry the id of the request that led to it, and these fields."""
    asked = {} if request_id is None else {"request_id": request_id}
    with structlog.contextvars.bound_contextvars(**asked, **fields):
        yield
