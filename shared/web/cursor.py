"""Cursors of lists: where the next page starts, in a form that nobody makes up."""

import base64
import binascii
import zlib

from shared.errors import Invalid

_LENGTH = 12


def write_cursor(kind: str, last_id: int) -> str:
    """Give the cursor that continues after a row; `kind` names the list it belongs to.

    >>> read_cursor("predictions", write_cursor("predictions", 1234))
    1234

    """
    body = last_id.to_bytes(8, "big")
    return base64.urlsafe_b64encode(body + _check(kind, body)).decode()


def read_cursor(kind: str, cursor: str) -> int:
    """Give the id in a cursor of this kind; one that was changed or is of another list is `Invalid`."""
    try:
        content = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        content = b""
    body, check = content[:8], content[8:]
    if len(content) != _LENGTH or check != _check(kind, body):
        raise Invalid("The cursor is not one that this list gave: start without it", pointer="/query/cursor")
    return int.from_bytes(body, "big")


def _check(kind: str, body: bytes) -> bytes:
    return zlib.crc32(kind.encode() + body).to_bytes(4, "big")
