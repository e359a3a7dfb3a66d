"""What every request to the app passes: Host, Origin, headers that narrow a page, and the cookie of a login."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamlit_ui.logins import LOGINS
from streamlit_ui.settings import app_settings

SESSION_PATH: Final = "/session"
LONGEST_TICKET: Final = 100
# Beside the styles and scripts of Streamlit itself, which compiles expressions of charts in the browser.
NARROWED: Final = (
    "default-src 'self'", "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:", "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:", "media-src 'self' data: blob:", "font-src 'self' data:", "worker-src 'self' blob:",
    "frame-ancestors 'none'", "base-uri 'self'", "object-src 'none'", "form-action 'self'",
)  # fmt: skip
HEADERS: Final = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
# Streamlit answers these whether or not somebody uses them.
UNUSED: Final = ("/_stcore/metrics", "/_stcore/agent/")
UPLOADS: Final = "/_stcore/upload_file/"
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_USUAL_PORTS: Final = {"http": ":80", "https": ":443"}

log = structlog.get_logger(__name__)


class Gate:
    """Refuses Host names and pages of others, which could otherwise reach the app through a visitor's browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._names = frozenset(app_settings().host_names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with our headers on its answer."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refused = self._refuse(scope, Headers(scope=scope))
        if refused is None:
            await self._app(scope, receive, with_headers(send, Headers(scope=scope)["host"]))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            status, told = refused
            await PlainTextResponse(f"{told}\n", status)(scope, receive, send)

    def _refuse(self, scope: Scope, headers: Headers) -> tuple[HTTPStatus, str] | None:
        host = headers.get("host", "")
        if host_of(host) not in self._names:
            return HTTPStatus.BAD_REQUEST, "This Host name is not answered: add it to ALLOWED_HOSTS"
        if scope["path"].startswith(UNUSED):
            return HTTPStatus.NOT_FOUND, "There is nothing here"
        origin = headers.get("origin")
        is_reading = scope["type"] == "http" and scope["method"] in _READING
        if origin is not None and not is_reading and not is_own(origin, host):
            # Whoever sets up a proxy sees a page that never comes, and finds the reason here.
            log.warning(
                "refused a page of another address: a proxy must pass Host on", origin=origin[:100], host=host[:100]
            )
            return HTTPStatus.FORBIDDEN, "A page of another address may not do this"
        if scope["path"].startswith(UPLOADS) and not may_upload(scope):
            return HTTPStatus.UNAUTHORIZED, "Files are taken of those who are logged in"
        return None


def with_headers(send: Send, host: str) -> Send:
    """Give what sends an answer with our headers on it."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            # Not every browser takes a WebSocket of the same address for 'self'.
            connect = f"connect-src 'self' ws://{host} wss://{host} data: blob:"
            headers["Content-Security-Policy"] = "; ".join((*NARROWED, connect))
        await send(message)

    return sending


def may_upload(scope: Scope) -> bool:
    """Tell whether somebody may fill the memory of the app: Streamlit takes files of every page that is open."""
    settings = app_settings()
    token = HTTPConnection(scope).cookies.get(settings.cookie, "")
    return not settings.wants_login or bool(LOGINS.key(token))


def is_own(origin: str, host: str) -> bool:
    """Tell whether a page comes from where it asks, port included.

    >>> is_own("https://desk.example", "desk.example:443"), is_own("http://localhost:1", "localhost:2")
    (True, False)
    """
    scheme, _, address = origin.lower().partition("://")
    return bool(address) and address == host.lower().removesuffix(_USUAL_PORTS.get(scheme, ":"))


def host_of(header: str) -> str:
    """Give the name of a Host header, without port and brackets; empty when it is none.

    >>> host_of("[::1]:8501"), host_of("Localhost:1"), host_of("a@b"), host_of("x:y")
    ('::1', 'localhost', '', '')
    """
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port
    except ValueError:
        return ""
    return "" if parts.netloc != header or "@" in header else (parts.hostname or "")


async def keep_session(request: Request) -> Response:
    """Turn a ticket into the cookie of a login, which no script of the browser can read."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_TICKET:
            return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    token = LOGINS.take(body.decode("ascii", errors="replace"))
    if token is None:
        return Response(status_code=HTTPStatus.FORBIDDEN)
    answer = Response(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": "no-store"})
    # Without an age it ends with the browser.
    answer.set_cookie(
        app_settings().cookie, token, max_age=None if token else 0, httponly=True, samesite="strict",
        secure="https" in (request.url.scheme, request.headers.get("x-forwarded-proto")),
    )  # fmt: skip
    return answer


async def show_home(request: Request) -> Response:
    """Send somebody who writes the name of the first page to where Streamlit has it."""
    return RedirectResponse(f"/?{request.url.query}" if request.url.query else "/")


ROUTES: Final = (Route(SESSION_PATH, keep_session, methods=["POST"]),)
