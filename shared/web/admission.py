"""Who is let in: Host, Origin, keys, and how often."""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request

from shared.binding import LOOPBACK_NAMES, is_loopback
from shared.settings import ServiceSettings
from shared.web.cors import is_preflight, parse_origins
from shared.web.keys import READING, ApiKey, find_key, parse_keys
from shared.web.limits import RateLimits

# Less than the digits that int() refuses to read, which routes may have to.
LONGEST_PATH: Final = 4000
_ONCE: Final = ("host", "authorization", "x-api-key", "origin", "content-type")
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]@/\s]*))(?::\d*)?")
_LIVE: Final = re.compile(r"(/api)?/health/live")
_METRICS: Final = re.compile(r"(/api)?/metrics")
# Whoever passes a request on says so with one of these.
_PASSED_ON: Final = ("x-forwarded-for", "forwarded", "x-real-ip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not let in."""

    status: int
    code: str
    detail: str
    headers: dict[str, str] = field(default_factory=dict)


class Admission:
    """Judges requests by the settings of one process; wrong settings are a `SettingsInvalid`."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._hosts = {host.lower() for host in (*LOOPBACK_NAMES, settings.bind_host, *settings.allowed_hosts)}
        self._keys = parse_keys(settings.api_keys)
        self._limits = RateLimits(settings.rate_limit_per_minute, keys=len(self._keys))
        self.origins = parse_origins(settings.cors_allowed_origins)
        """Pages of other sites that may ask and write."""

    @property
    def wants_keys(self) -> bool:
        """Tell whether there are keys."""
        return bool(self._keys)

    def refuse(self, request: Request) -> Refusal | None:
        """Give why a request is not let in; `request.state` then knows who asks and how often."""
        state = request.state
        state.scope = state.key_name = state.counted = None
        return self._refuse_form(request) or self._refuse_site(request) or self._refuse_caller(request)

    def _refuse_form(self, request: Request) -> Refusal | None:
        path = request.scope["path"]
        if len(path) > LONGEST_PATH:
            return Refusal(
                status=414, code="path_too_long", detail=f"The path has more than {LONGEST_PATH} characters."
            )
        names = [name for name, _ in request.scope["headers"]]
        if len(set(names)) < len(names):
            for name in _ONCE:
                if names.count(name.encode()) > 1:
                    return Refusal(status=400, code="malformed", detail=f"The header {name} is there more than once.")
        return None

    def _refuse_site(self, request: Request) -> Refusal | None:
        host = host_name(request.headers.get("host", ""))
        if host not in self._hosts:
            detail = f"Host {host[:100]!r} is not served here; ALLOWED_HOSTS adds names."
            return Refusal(status=400, code="foreign_host", detail=detail)
        origin = request.headers.get("origin")
        is_writing = request.method not in READING or is_preflight(request)
        if origin and is_writing and origin not in self.origins and not self._same_site(origin):
            detail = "A page of another site may not write here; CORS_ALLOWED_ORIGINS and ALLOWED_HOSTS add names."
            return Refusal(status=403, code="foreign_origin", detail=detail)
        return None

    def _same_site(self, origin: str) -> bool:
        try:
            name = urlsplit(origin).hostname
        except ValueError:
            return False
        return (name or "") in self._hosts

    def _refuse_caller(self, request: Request) -> Refusal | None:
        path = request.scope["path"]
        if _LIVE.fullmatch(path) or is_preflight(request):
            return None
        if not self._keys:
            return _refuse_passed_on(request.headers)
        if _METRICS.fullmatch(path) and _is_local(request):
            return None
        address = request.client.host if request.client else ""
        key = find_key(self._keys, request.headers)
        if key is not None and not self._limits.may_try(key.name, address):
            key = None
        return self._refuse_stranger(request, address) if key is None else self._refuse_key(request, key)

    def _refuse_stranger(self, request: Request, address: str) -> Refusal:
        counted = request.state.counted = self._limits.count_address(address)
        if counted.is_over:
            return _too_often("Too many requests without a valid key came from this address", counted.reset_seconds)
        return Refusal(
            status=401,
            code="no_key",
            detail="A key is needed: Authorization: Bearer <key>, or X-API-Key.",
            headers={"www-authenticate": "Bearer"},
        )

    def _refuse_key(self, request: Request, key: ApiKey) -> Refusal | None:
        state = request.state
        counted = state.counted = self._limits.count_key(key.name)
        if counted.is_over:
            told = f"The key {key.name!r} may ask {counted.quota} times a minute"
            return _too_often(told, counted.reset_seconds)
        if not key.allows(request.method, request.scope["path"]):
            detail = f"The key {key.name!r} has scope {key.scope}, which does not allow this."
            return Refusal(status=403, code="scope", detail=detail)
        state.scope, state.key_name = key.scope, key.name
        return None


def _too_often(told: str, seconds: int) -> Refusal:
    return Refusal(status=429, code="too_often", detail=f"{told}: ask again in {seconds} s.")


def _refuse_passed_on(headers: Headers) -> Refusal | None:
    """Refuse what a proxy passed on from elsewhere while there are no keys: then everybody could do everything."""
    if not any(name in headers for name in _PASSED_ON):
        return None
    came_from = headers.get("x-forwarded-for", headers.get("x-real-ip", "")).rpartition(",")[2].strip()
    try:
        is_from_here = ipaddress.ip_address(came_from).is_loopback
    except ValueError:
        is_from_here = False
    if is_from_here:
        return None
    detail = "A proxy passed this on, and there are no keys here: set API_KEYS first."
    return Refusal(status=403, code="proxy_without_keys", detail=detail)


def host_name(header: str) -> str:
    """Give the name in a Host header, or all of it where it is none.

    >>> host_name("[::1]:80"), host_name("Localhost:1"), host_name("a@b")
    ('::1', 'localhost', 'a@b')
    """
    found = _HOST.fullmatch(header)
    return (found[1] or found[2]).lower() if found else header


def _is_local(request: Request) -> bool:
    """Tell whether a process of this machine asks for itself, not a proxy for somebody else."""
    if request.client is None or not is_loopback(request.client.host):
        return False
    headers = request.headers
    return is_loopback(host_name(headers.get("host", ""))) and not any(name in headers for name in _PASSED_ON)
