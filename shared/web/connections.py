"""Connections: how many, how long a client may take to say something, how much before it is a request."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.web.headers import SECURITY, encoded
from shared.web.problems import MEDIA_TYPE

log = structlog.get_logger(__name__)

MOST_CONNECTIONS: Final = 800
"""Below the 1024 files that a process may commonly open, with room for the database, model files and logs."""
BACKLOG: Final = 1024
"""Connections that wait to be accepted."""
KEEP_ALIVE_SECONDS: Final = 5
"""A connection without a request."""
HEAD_SECONDS: Final = 10.0
"""From the first byte of a request to the end of its headers, and for the rest of a body that nobody reads."""
WRITE_SECONDS: Final = 60.0
"""Without an answer being taken by its client."""
MOST_HEAD_BYTES: Final = 32 << 10


class NoRequest(Exception):
    """Bytes that are no request this service takes."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class GuardedProtocol(HttpToolsProtocol):
    """One connection of uvicorn's that a slow, endless or wrong client cannot hold."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._patience: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._refused: NoRequest | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or say that there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections; try again in a moment.")
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._stop_waiting()
        self._stop_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what a client sends."""
        is_head = not self._is_answering
        super().data_received(data)
        if self.transport.is_closing() or self._is_answering:
            return
        self._head_bytes += len(data) if is_head else 0
        if self._head_bytes > MOST_HEAD_BYTES and not self._has_idle_body:
            self._too_large()
            return
        # Whatever came, it was no whole request: empty lines, half of one, or a body after its answer.
        self._wait()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._stop_waiting()
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > MOST_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The address and headers have too many bytes.")
        if not self.url.startswith(b"/") or not self.url.isascii():
            # An absolute one names a host that nobody has looked at.
            self._refuse(HTTPStatus.BAD_REQUEST, "The target of a request is a path that begins with a slash.")
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """End an answer; the rest of its request has to come soon."""
        super().on_response_complete()
        if not self.transport.is_closing() and self._has_idle_body:
            self._wait()

    def pause_writing(self) -> None:
        """Note that a client does not read."""
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that a client reads."""
        super().resume_writing()
        self._stop_unread()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer what is no request."""
        refused, self._refused = self._refused, None
        if refused is None:
            self._answer(HTTPStatus.BAD_REQUEST, "This is no HTTP request.")
        else:
            self._answer(refused.status, refused.detail)

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _has_idle_body(self) -> bool:
        """Tell whether a request was answered before all of it came."""
        return self.cycle is not None and self.cycle.response_complete and self.cycle.more_body

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        self._refused = NoRequest(status, detail)
        # The parser gives it to data_received, which answers.
        raise self._refused

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _too_large(self) -> None:
        self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The address and headers have too many bytes.")

    def _give_up(self) -> None:
        self._patience = None
        if self.transport.is_closing() or self._is_answering:
            return
        if self._head_bytes and not self._has_idle_body:
            self._answer(HTTPStatus.REQUEST_TIMEOUT, f"The request did not come within {HEAD_SECONDS:g} seconds.")
        else:
            self.transport.close()

    def _answer(self, status: HTTPStatus, detail: str) -> None:
        """Answer without a request that could be passed on, and close."""
        log.info("connection refused", status=int(status), detail=detail)
        code = status.phrase.lower().replace(" ", "_")
        body = orjson.dumps({
            "type": f"urn:pumpcast:{code}", "title": status.phrase, "status": int(status), "detail": detail,
            "instance": "", "code": code, "request_id": "", "errors": [],
        })  # fmt: skip
        told = {
            **SECURITY, "content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close",
            **({"retry-after": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}),
        }  # fmt: skip
        lines = b"".join(b"%b: %b\r\n" % pair for pair in encoded(told))
        self.transport.write(b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, status.phrase.encode(), lines, body))
        self.transport.close()
