"""What every request to the app passes: Host names, headers against framing, and the cookie of a login."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamlit_ui.logins import LOGINS
from streamlit_ui.settings import app_settings

SESSION_PATH: Final = "/session"
LONGEST_TICKET: Final = 100
HEADERS: Final = {
    # Streamlit compiles expressions of charts in the browser, so that scripts cannot be narrowed further.
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'self'; object-src 'none'; form-action 'self'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Gate:
    """Refuses Host names of others, whose pages could otherwise reach the app through a visitor's browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._names = frozenset(app_settings().host_names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with our headers on its answer."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif host_of(Headers(scope=scope).get("host", "")) in self._names:
            await self._app(scope, receive, with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            told = "This Host name is not answered: add it to ALLOWED_HOSTS\n"
            await PlainTextResponse(told, HTTPStatus.BAD_REQUEST)(scope, receive, send)


def with_headers(send: Send) -> Send:
    """Give what sends an answer with our headers on it."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sending


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
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return Response(status_code=HTTPStatus.FORBIDDEN)
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
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


async def show_home(request: Request) -> Response:
    """Send somebody who writes the name of the first page to where Streamlit has it."""
    return RedirectResponse(f"/?{request.url.query}" if request.url.query else "/")


ROUTES: Final = (Route(SESSION_PATH, keep_session, methods=["POST"]),)
