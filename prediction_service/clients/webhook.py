"""Posts signed messages to webhook endpoints, and to no address inside the network unless it is trusted."""

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook

from shared.errors import Invalid

TOTAL_SECONDS = 5.0
RESPONSE_BYTES = 2048
DNS_THREADS = 16
_INWARD_NAMES = ("localhost", "local", "internal", "localdomain", "home.arpa")
# All public IPv6 addresses lie in the first; the others hold IPv4 addresses (6to4, Teredo), examples or protocols.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_SPECIAL_V4 = tuple(map(ipaddress.IPv4Network, ("100.64.0.0/10", "192.88.99.0/24")))


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


def host_of(url: str) -> str:
    """Give the host of an address as a setting would name it."""
    return (urlsplit(url).hostname or "").rstrip(".")


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
    if not re.match(r"https?://", url) or re.search(r"[\s\x00-\x20\x7f\\]", url):
        raise Invalid("The address must begin with http:// or https:// and hold no blank or backslash", pointer="/url")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        ascii_host = host if ":" in host else host.rstrip(".").encode("idna").decode()
        url.encode()
    except (ValueError, UnicodeError):
        raise Invalid("The address has no valid host or port", pointer="/url") from None
    if not ascii_host or port == 0 or len(ascii_host) > 253 or re.search(r"[^A-Za-z0-9._:-]", ascii_host):  # noqa: PLR2004
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request that is to be sent."""

    url: str
    headers: dict[str, str]
    secret: str
    """whsec_…"""
    webhook_id: str
    """The same over all attempts."""
    body: bytes
    trusted: bool
    """The operator named the address in the environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of one request."""

    status_code: int | None
    """None without an answer."""
    duration_ms: float
    response: str | None
    """The beginning of the answer, at most 2 KiB."""
    error: str | None
    """Why there was no answer."""

    @property
    def succeeded(self) -> bool:
        """Tell whether the receiver took the message."""
        return self.status_code is not None and 200 <= self.status_code < 300  # noqa: PLR2004


class WebhookSender:
    """Sends messages over two sessions: one for checked public addresses, one for trusted ones."""

    def __init__(self, *, version: str, allow_private: bool = False, allowed_hosts: Collection[str] = ()) -> None:
        self._agent = f"pumpcast/{version}"
        self._allow_private = allow_private
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)

    def trusts(self, url: str) -> bool:
        """Tell whether the settings trust the host of an address."""
        return self._allow_private or host_of(url) in self._allowed_hosts

    async def __aenter__(self) -> Self:
        # Own threads: a name server that hangs must not block the default pool, which has a handful.
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="dns")
        self._checked = self._session(refuse_inward=True)
        self._trusted = self._session(refuse_inward=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._checked.close()
        await self._trusted.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _session(self, *, refuse_inward: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self._threads, refuse_inward=refuse_inward),
            use_dns_cache=False,
            limit=0,
            keepalive_timeout=5,
            socket_factory=_public_socket if refuse_inward else None,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": self._agent},
        )

    async def post(self, message: Message) -> Attempt:
        """Send one message; whatever happens is told in the attempt."""
        session = self._trusted if message.trusted or self.trusts(message.url) else self._checked
        started = time.perf_counter()
        status: int | None = None
        response: str | None = None
        error: str | None = None
        try:
            async with session.post(
                message.url, data=message.body, headers=_signed(message), allow_redirects=False
            ) as answer:
                status = answer.status
                response = await _beginning(answer)
        except TimeoutError:
            # An answer in time counts even when its body never ends.
            error = None if status else f"no answer within {TOTAL_SECONDS:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            error = None if status else _reason(failure)
        duration_ms = round((time.perf_counter() - started) * 1000, 2)
        return Attempt(status_code=status, duration_ms=duration_ms, response=response, error=error)


def _signed(message: Message) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(message.secret).sign(message.webhook_id, now, message.body.decode())
    return {
        **message.headers,
        "Content-Type": "application/json",
        "webhook-id": message.webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    content = b""
    while len(content) < RESPONSE_BYTES:
        chunk = await answer.content.read(RESPONSE_BYTES - len(content))
        if not chunk:
            break
        content += chunk
    if not answer.content.at_eof():
        # The rest may be endless; a connection is cheaper than reading it.
        answer.close()
    text = content.decode("utf-8", "replace").replace("\x00", "\ufffd")
    return text.encode()[:RESPONSE_BYTES].decode("utf-8", "ignore")


def _reason(failure: Exception) -> str:
    inner = failure.os_error if isinstance(failure, aiohttp.ClientConnectorError) else failure
    if isinstance(inner, AddressRefused):
        return str(inner)
    if isinstance(inner, socket.gaierror):
        return "the name of the host cannot be resolved"
    if isinstance(failure, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "the TLS certificate or connection is not valid"
    if isinstance(inner, ConnectionRefusedError):
        return "the connection was refused"
    return f"the request failed: {type(inner).__name__}"


def _public_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, target = address
    if is_inward(str(target[0])):
        raise _refused()
    return socket.socket(family, kind, protocol)


def _refused() -> AddressRefused:
    # The address itself would tell a stranger what names mean inside the network.
    return AddressRefused("the host is not a public address; WEBHOOK_ALLOWED_HOSTS or WEBHOOK_ALLOW_PRIVATE trusts it")


class _Resolver(AbstractResolver):
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
