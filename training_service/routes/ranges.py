"""Which part of a file a request asks for (RFC 9110, section 14)."""

import re
from http import HTTPStatus

from fastapi import HTTPException, Request

_PART = r"(?:[0-9]{1,40}-[0-9]{0,40}|-[0-9]{1,40})"
_RANGES = re.compile(rf"bytes[ \t]*=[ \t]*({_PART}(?:[ \t]*,[ \t]*{_PART})*)[ \t]*", re.IGNORECASE)


def narrow_range(request: Request, *, size: int, validators: tuple[str, str]) -> None:
    """Leave in the request's Range only what can be served; without sense it is ignored, beyond the file refused.

    Args:
        request: its header is changed.
        size: bytes of the file.
        validators: ETag and date of the file; a Range with an If-Range of another one is ignored.

    """
    asked, condition = request.headers.get("range"), request.headers.get("if-range")
    if asked is None:
        return
    parts = _parts(asked, size) if condition in {None, *validators} else None
    if parts == []:
        raise HTTPException(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            detail=f"The file has {size} bytes; the range asked for lies beyond them.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    kept = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
    if parts is not None:
        kept.append((b"range", f"bytes={','.join(parts)}".encode()))
    request.scope["headers"] = kept


def _parts(asked: str, size: int) -> list[str] | None:
    """Give the parts that lie in the file; None for a unit nobody knows or no ranges at all.

    >>> _parts("bytes=0-9, 90-", 50), _parts("bytes=50-", 50), _parts("bytes=9-0", 50), _parts("lines=1-2", 50)
    (['0-9'], [], None, None)
    """
    found = _RANGES.fullmatch(asked.strip())
    if found is None:
        return None
    kept = []
    for part in re.split(r"[ \t]*,[ \t]*", found[1]):
        first, last = part.split("-")
        if first and last and int(first) > int(last):
            return None
        if int(first) < size if first else int(last) > 0 < size:
            kept.append(part)
    return kept
