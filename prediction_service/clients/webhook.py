"""Posts signed messages to webhook endpoints, and to no address inside the network unless it is trusted."""

import importlib.metadata
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import aiohttp
from standardwebhooks import Webhook

from prediction_service.clients.addresses import AddressRefused, Resolver, public_socket
from shared.request_ids import HEADER

VERSION = importlib.metadata.version("pumpcast")
TOTAL_SECONDS = 5.0
RESPONSE_BYTES = 2048
DNS_THREADS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request that is to be sent."""

    url: str
    headers: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """whsec_…, each of which signs; two after a rotation."""
    webhook_id: str
    """The same over all attempts."""
    body: bytes
    trusted: bool
    """The operator's settings name the address, so it may lie inside the network."""
    request_id: str | None = None
    """Of the request that had it sent; the receiver is told."""


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
            resolver=Resolver(self._threads, refuse_inward=refuse_inward),
            use_dns_cache=False,
            limit=0,
            keepalive_timeout=5,
            socket_factory=public_socket if refuse_inward else None,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": f"pumpcast/{VERSION}"},
        )

    async def post(self, message: Message) -> Attempt:
        """Send one message; whatever happens is told in the attempt."""
        session = self._trusted if message.trusted else self._checked
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
    text = message.body.decode()
    asked = {} if message.request_id is None else {HEADER: message.request_id}
    return {
        **message.headers,
        **asked,
        "Content-Type": "application/json",
        "webhook-id": message.webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(message.webhook_id, now, text) for secret in message.secrets
        ),
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
