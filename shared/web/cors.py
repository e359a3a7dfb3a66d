"""Pages of other sites that may ask: CORS for exact origins, never with credentials of the browser."""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import SettingsInvalid

_ORIGIN: Final = re.compile(r"(https?)://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_USUAL_PORTS: Final = {"http": ":80", "https": ":443"}
_PREFLIGHT: Final = {
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": (
        "Authorization, Content-Type, If-Range, Last-Event-ID, Range, X-API-Key, X-Request-ID"
    ),
    "access-control-max-age": "600",
}
_EXPOSED: Final = "Content-Disposition, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID"


def parse_origins(entries: tuple[str, ...]) -> frozenset[str]:
    """Read origins as browsers write them; a wrong one is a `SettingsInvalid`.

    >>> sorted(parse_origins(("https://Desk.example:443", "http://localhost:3000")))
    ['http://localhost:3000', 'https://desk.example']
    """
    origins = set()
    for entry in entries:
        found = _ORIGIN.fullmatch(entry.lower())
        if found is None:
            raise SettingsInvalid(
                f"CORS_ALLOWED_ORIGINS has {entry!r}, which is not allowed: "
                "it must be an origin as https://host or https://host:port, without path and without *"
            )
        origins.add(found[0].removesuffix(_USUAL_PORTS[found[1]]))
    return frozenset(origins)


def is_preflight(request: Request) -> bool:
    """Tell whether a browser asks what a page may do."""
    headers = request.headers
    return request.method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def preflight() -> Response:
    """Answer a browser whose page is of an allowed origin."""
    return Response(status_code=204, headers=_PREFLIGHT)


def shared_with(origins: frozenset[str], headers: Headers) -> dict[str, str]:
    """Give what lets the page that asked read the answer; nothing where its origin is not allowed."""
    if not origins:
        return {}
    origin = headers.get("origin")
    if origin not in origins:
        return {"vary": "Origin"}
    return {"vary": "Origin", "access-control-allow-origin": origin, "access-control-expose-headers": _EXPOSED}
