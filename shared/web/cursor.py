"""Cursors of lists: where the next page starts, in a form that nobody makes up."""

import base64
import binascii
import zlib

from shared.errors import Invalid

_NUMBER, _CHECK = 8, 4


def write_cursor(kind: str, *place: int) -> str:
    """Give the cursor that continues after a row; `kind` names the list it belongs to, numbers the place in it.

    >>> read_cursor("predictions", write_cursor("predictions", 1234))
    1234

    """
    body = b"".join(number.to_bytes(_NUMBER, "big") for number in place)
    return base64.urlsafe_b64encode(body + _check(kind, body)).decode()


def read_cursor(kind: str, cursor: str) -> int:
    """Give the id in a cursor of this kind; one that was changed or is of another list is `Invalid`."""
    (last_id,) = read_place(kind, cursor, numbers=1)
    return last_id


def read_place(kind: str, cursor: str, *, numbers: int) -> tuple[int, ...]:
    """Give the numbers in a cursor of this kind.

    >>> read_place("deliveries", write_cursor("deliveries", 99, 1234), numbers=2)
    (99, 1234)

    """
    try:
        content = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        content = b""
    body, check = content[:-_CHECK], content[-_CHECK:]
    if len(body) != numbers * _NUMBER or check != _check(kind, body):
        raise Invalid("The cursor is not one that this list gave: start without it", pointer="/query/cursor")
    return tuple(int.from_bytes(body[at : at + _NUMBER], "big") for at in range(0, len(body), _NUMBER))


def _check(kind: str, body: bytes) -> bytes:
    return zlib.crc32(kind.encode() + body).to_bytes(4, "big")
