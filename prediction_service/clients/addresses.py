"""Which addresses webhooks may go to: public ones, checked when they are set up and again at each connection."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from shared.errors import Invalid

LONGEST_HOST = 253
LONGEST_URL = 2048
_INWARD_NAMES = ("localhost", "local", "internal", "localdomain", "home.arpa")
# All public IPv6 addresses lie in the first; the others hold IPv4 addresses (6to4, Teredo), examples or protocols.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# Of 192.0.0.0/24, where a cloud keeps its metadata, not every Python knows the whole.
_SPECIAL_V4 = tuple(map(ipaddress.IPv4Network, ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24")))


class AddressRefused(OSError):
    """The address lies inside the network; an OSError, so that the HTTP client takes it for a failed connection."""


def is_inward(address: str) -> bool:
    """Tell whether an address is anything but a public one.

    >>> [is_inward(address) for address in ("93.184.215.14", "100.64.0.1", "64:ff9b::5db8:d70e", "::ffff:8.8.8.8")]
    [False, True, True, True]

    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if isinstance(parsed, ipaddress.IPv6Address):
        return parsed not in _PUBLIC_V6 or any(parsed in network for network in _SPECIAL_V6)
    closed = parsed.is_multicast or parsed.is_reserved or any(parsed in network for network in _SPECIAL_V4)
    return closed or not parsed.is_global


def trusts(url: str, *, allow_private: bool, allowed_hosts: Collection[str]) -> bool:
    """Tell whether the operator's settings trust an address."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return allow_private or host in {allowed.lower() for allowed in allowed_hosts}


def origin_of(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port: what decides who reads a request.

    >>> origin_of("https://Bot.example.com./hook") == origin_of("https://bot.example.com:443/other")
    True

    """
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)


def check_url(url: str, *, trusted: bool) -> None:
    """Refuse an address that can never be sent to; names are resolved and checked again at each sending."""
    host = _parse_host(url)
    if trusted:
        return
    name = host.rstrip(".")
    if any(name == inward or name.endswith(f".{inward}") for inward in _INWARD_NAMES) or _is_inward_literal(name):
        raise Invalid(
            f"{name!r} lies inside the network: webhooks go to public addresses; WEBHOOK_ALLOWED_HOSTS trusts a host",
            pointer="/url",
        )


def _parse_host(url: str) -> str:
    # Backslash, blank and control characters are where address parsers differ from each other.
    if not re.match(r"https?://", url) or re.search(r"[\s\x00-\x20\x7f\\]", url) or len(url) > LONGEST_URL:
        raise Invalid(
            "The address must begin with http:// or https://, hold no blank or backslash and have at most "
            f"{LONGEST_URL} characters",
            pointer="/url",
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        ascii_host = host if ":" in host else host.rstrip(".").encode("idna").decode()
        url.encode()
    except (ValueError, UnicodeError):
        raise Invalid("The address has no valid host or port", pointer="/url") from None
    if not ascii_host or port == 0 or len(ascii_host) > LONGEST_HOST or re.search(r"[^A-Za-z0-9._:-]", ascii_host):
        raise Invalid("The address has no valid host or port", pointer="/url")
    if parts.username is not None or parts.password is not None:
        raise Invalid("The address must not hold credentials; put them into headers", pointer="/url")
    return ascii_host


def _is_inward_literal(host: str) -> bool:
    try:
        return is_inward(str(ipaddress.ip_address(host)))
    except ValueError:
        pass
    try:
        # 127.1, 0x7f.1 and 2130706433 are addresses too, for the system if not for a person.
        return is_inward(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return False


def public_socket(address: tuple[Any, ...]) -> socket.socket:
    """Give a socket for an address the HTTP client is about to connect to, if it is a public one."""
    family, kind, protocol, _, target = address
    if is_inward(str(target[0])):
        raise _refused()
    return socket.socket(family, kind, protocol)


def _refused() -> AddressRefused:
    # The address itself would tell a stranger what names mean inside the network.
    return AddressRefused("the host is not a public address; WEBHOOK_ALLOWED_HOSTS or WEBHOOK_ALLOW_PRIVATE trusts it")


class Resolver(AbstractResolver):
    """Looks names up once at a time each, and refuses a name when any of its addresses lies inside the network."""

    def __init__(self, threads: ThreadPoolExecutor, *, refuse_inward: bool) -> None:
        self._threads = threads
        self._refuse_inward = refuse_inward
        self._running: dict[tuple[str, int], asyncio.Future[list[Any]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of a name."""
        # Shielded, as the lookup goes on when one of its waiters gives up, and the next one joins it.
        infos = await asyncio.shield(self._lookup(host, port))
        found = [info for info in infos if family in (socket.AF_UNSPEC, info[0])]
        if self._refuse_inward and any(is_inward(str(info[4][0])) for info in found):
            raise _refused()
        return [
            ResolveResult(
                hostname=host,
                host=str(info[4][0]),
                port=port,
                family=info[0],
                proto=info[2],
                flags=socket.AI_NUMERICHOST,
            )
            for info in found
        ]

    def _lookup(self, host: str, port: int) -> asyncio.Future[list[Any]]:
        key = (host, port)
        running = self._running.get(key)
        if running is None:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._threads, _getaddrinfo, host, port)
            self._running[key] = running
            running.add_done_callback(lambda done: self._finished(key, done))
        return running

    def _finished(self, key: tuple[str, int], done: asyncio.Future[list[Any]]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()

    async def close(self) -> None:
        """Leave the running lookups to their threads."""


def _getaddrinfo(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
