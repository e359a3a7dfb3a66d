"""The metrics port of a worker: a small server in threads of its own, guarded as the APIs are."""

import errno
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import REGISTRY, make_wsgi_app
from starlette.datastructures import Headers

from shared.binding import LOOPBACK_NAMES, is_loopback
from shared.settings import WebPart
from shared.web.admission import host_name
from shared.web.keys import find_key, parse_keys

log = structlog.get_logger(__name__)

PORTS_TO_TRY = 20
PORTS = 65536
REQUEST_SECONDS = 10.0
"""So long a client may say nothing: each holds a thread."""
CLIENTS = 16
"""So many are served at once; who comes beyond is sent away, so that nobody fills the process with threads."""

Environment = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class GuardedMetrics:
    """WSGI application: the metrics of this process for this machine, beyond it for whoever shows a key."""

    def __init__(self, settings: WebPart) -> None:
        self._metrics = make_wsgi_app(REGISTRY)
        self._hosts = {host.lower() for host in (*LOOPBACK_NAMES, settings.bind_host, *settings.allowed_hosts)}
        self._keys = parse_keys(settings.api_keys)

    def __call__(self, environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        refusal = self._refuse(environment)
        if refusal is None:
            return self._metrics(environment, start_response)  # type: ignore[no-any-return]
        status, headers, detail = refusal
        start_response(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
        return [detail.encode()]

    def _refuse(self, environment: Environment) -> tuple[str, list[tuple[str, str]], str] | None:
        if environment["PATH_INFO"].rstrip("/") != "/metrics":
            return "404 Not Found", [], "There is nothing here but /metrics.\n"
        # Keys of all scopes may read metrics. Whoever has one is no page that was led here under a false name, so any
        # Host will do: where names lead to several workers, Prometheus asks each by its address.
        if find_key(self._keys, _headers(environment)) is not None:
            return None
        host = host_name(environment.get("HTTP_HOST", ""))
        if host not in self._hosts:
            return "400 Bad Request", [], "This Host is not served here without a key; ALLOWED_HOSTS adds names.\n"
        # What a proxy on this machine passes on arrives from here too, under another name.
        if not (is_loopback(environment["REMOTE_ADDR"]) and is_loopback(host)):
            headers = [("WWW-Authenticate", "Bearer")]
            return "401 Unauthorized", headers, "A key is needed: Authorization: Bearer <key>, or X-API-Key.\n"
        return None


def serve_metrics(settings: WebPart, port: int) -> int:
    """Serve metrics on the port, or the next free one, which is logged; give the port, 0 when none is free."""
    for candidate in range(port, min(port + PORTS_TO_TRY, PORTS)):
        try:
            start_server(settings, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        log.info("metrics served", host=settings.bind_host, port=candidate)
        return candidate
    log.warning("no free port for metrics", first=port, tried=PORTS_TO_TRY)
    return 0


def start_server(settings: WebPart, port: int) -> WSGIServer:
    """Serve metrics in a thread of its own."""
    app = GuardedMetrics(settings)
    family, *_, address = socket.getaddrinfo(settings.bind_host, port, type=socket.SOCK_STREAM)[0]
    kind = _Server6 if family is socket.AF_INET6 else _Server
    server = kind(address[:2], _Handler)
    server.set_app(app)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_SECONDS

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: a scrape every few seconds is no event."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._places = threading.BoundedSemaphore(CLIENTS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or not at all."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room for the next one."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """Say in one line that a request came to nothing: it would be a traceback past the log."""
        log.info("scrape broken off", client=client_address[0], error=type(sys.exception()).__name__)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _headers(environment: Environment) -> Headers:
    shown = {"x-api-key": "HTTP_X_API_KEY", "authorization": "HTTP_AUTHORIZATION"}
    return Headers({name: environment[variable] for name, variable in shown.items() if variable in environment})
