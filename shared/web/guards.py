"""What every request passes first: request id, Host, Origin, key; one log line each."""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.binding import LOOPBACK_NAMES, is_loopback
from shared.errors import SettingsInvalid, TooLarge
from shared.settings import WebPart
from shared.web.problems import MEDIA_TYPE, crash, problem, too_large

log = structlog.get_logger(__name__)

# Less than the digits that int() refuses to read, which routes may have to.
LONGEST_PATH = 4000
RESERVED_NAMES = frozenset({"auto", "local"})
"""What logs say where no key was used."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_ALLOWED = {"read": {"read"}, "write": {"read", "write"}, "service": {"read"}}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]@/\s]*))(?::\d*)?")
_LIVE = re.compile(r"(/api)?/health/live")
_METRICS = re.compile(r"(/api)?/metrics")
# What one service needs of the other.
_FOR_SERVICES = re.compile(r"(/api)?/(models(/\d+(/download)?)?|metrics|health(/ready)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A caller's key: its name, what it may do, and the SHA-256 of the secret."""

    name: str
    scope: str
    digest: str


def parse_keys(entries: tuple[str, ...]) -> tuple[ApiKey, ...]:
    """Read `name:scope:sha256hex` entries; a wrong one is a `SettingsInvalid`."""
    keys = []
    for number, entry in enumerate(entries, 1):
        name, _, rest = entry.partition(":")
        scope, _, digest = rest.partition(":")
        if not name or scope not in _ALLOWED or not re.fullmatch(r"[0-9a-f]{64}", digest):
            # Its text is not told: whoever mistakes the form may have put the key itself there.
            raise SettingsInvalid(
                f"entry {number} of API_KEYS is not allowed: "
                "it must be name:scope:sha256hex with scope read, write or service"
            )
        if name.lower() in RESERVED_NAMES:
            raise SettingsInvalid(f"entry {number} of API_KEYS is not allowed: the name {name!r} is that of no key")
        keys.append(ApiKey(name=name, scope=scope, digest=digest))
    return tuple(keys)


class BodyLimitProblems:
    """ASGI middleware outside of all others that says in a problem what the body limit says in plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        replaced = False

        async def send_problem(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] == TooLarge.status:
                replaced = Headers(scope=message).get("content-type") != MEDIA_TYPE
                if replaced:
                    request = Request(scope, receive)
                    answer = too_large(request)
                    answer.headers["x-request-id"] = request.state.request_id
                    await answer(scope, receive, send)
            if not replaced:
                await send(message)

        await self._app(scope, receive, send_problem)


class Guard:
    """ASGI middleware that lets a request through or answers it with a problem."""

    def __init__(self, app: ASGIApp, *, settings: WebPart) -> None:
        self._app = app
        self._hosts = {host.lower() for host in (*LOOPBACK_NAMES, settings.bind_host, *settings.allowed_hosts)}
        self._keys = parse_keys(settings.api_keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        given = request.headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        request.state.request_id = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status = time.perf_counter(), 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        refusal = self._refuse(request)
        if refusal is not None:
            code, name, detail = refusal
            headers = {"WWW-Authenticate": "Bearer"} if code == 401 else None  # noqa: PLR2004
            answer = problem(request, status=code, code=name, detail=detail, headers=headers)
            await answer(scope, receive, send_marked)
        else:
            try:
                await self._app(scope, receive, send_marked)
            except Exception as error:
                if status:
                    raise
                await (await crash(request, error))(scope, receive, send_marked)
        log.info(
            "request",
            method=request.method,
            path=scope["path"],
            status=status,
            duration_ms=round((time.perf_counter() - started) * 1000, 2),
        )

    def _refuse(self, request: Request) -> tuple[int, str, str] | None:
        if len(request.scope["path"]) > LONGEST_PATH:
            return 414, "path_too_long", f"The path has more than {LONGEST_PATH} characters."
        host = _host_name(request.headers.get("host", ""))
        if host not in self._hosts:
            return 400, "foreign_host", f"Host {host[:100]!r} is not served here; ALLOWED_HOSTS adds names."
        origin = request.headers.get("origin")
        if origin and request.method not in _READING and not self._same_site(origin):
            return 403, "foreign_origin", "A page of another site may not write here; ALLOWED_HOSTS adds names."
        return self._refuse_key(request)

    def _same_site(self, origin: str) -> bool:
        try:
            name = urlsplit(origin).hostname
        except ValueError:
            return False
        return (name or "") in self._hosts

    def _refuse_key(self, request: Request) -> tuple[int, str, str] | None:
        request.state.scope = request.state.key_name = None
        path = request.scope["path"]
        if not self._keys or _LIVE.fullmatch(path) or (_METRICS.fullmatch(path) and _is_local(request)):
            return None
        key = self._find_key(request.headers)
        if key is None:
            return 401, "no_key", "A key is needed: Authorization: Bearer <key>, or X-API-Key."
        needed = "read" if request.method in _READING else "write"
        if needed in _ALLOWED[key.scope] and (key.scope != "service" or _FOR_SERVICES.fullmatch(path)):
            request.state.scope, request.state.key_name = key.scope, key.name
            return None
        return 403, "scope", f"The key {key.name!r} has scope {key.scope}, which does not allow this."

    def _find_key(self, headers: Headers) -> ApiKey | None:
        shown = headers.get("x-api-key", "")
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            shown = token.strip()
        digest = hashlib.sha256(shown.encode()).hexdigest()
        found = None
        # Every key is compared, so that the time does not tell which one was near.
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def _host_name(header: str) -> str:
    found = _HOST.fullmatch(header)
    return (found[1] or found[2]).lower() if found else header


def _is_local(request: Request) -> bool:
    return request.client is not None and is_loopback(request.client.host)
