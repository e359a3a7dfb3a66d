"""Both services as the app sees them: real HTTP, answers set by the test, requests kept."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel

Reply = BaseModel | dict[str, Any] | bytes | None


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    key: str | None

    @property
    def json(self) -> Any:
        """Give its body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Problem:
    """An answer that refuses."""

    status: int
    detail: str
    code: str = "refused"
    errors: tuple[dict[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """Give it as the services write it."""
        found = {"type": "about:blank", "title": "Refused", "status": self.status, "detail": self.detail}
        return found | {"code": self.code, "request_id": "req-1", "errors": list(self.errors)}


Handler = Callable[[Asked], Reply | Problem]


@dataclass
class FakeService:
    """One service: `answers[method, path]` is a wire model, None for 204, a Problem, or a function of the request."""

    answers: dict[tuple[str, str], Reply | Problem | Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def get(self, path: str, answer: Reply | Problem | Handler) -> Self:
        """Set what a GET shows."""
        self.answers["GET", path] = answer
        return self

    def on(self, method: str, path: str, answer: Reply | Problem | Handler) -> Self:
        """Set what a change answers."""
        self.answers[method, path] = answer
        return self

    def changes(self) -> list[Asked]:
        """Give what was asked for beside looking."""
        return [one for one in self.asked if one.method != "GET"]


@contextmanager
def serving(service: FakeService, prefix: str = "/api") -> Iterator[FakeService]:
    """Serve it on a free port; leaving this is a service that went down."""

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            key = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
            one = Asked(self.command, parts.path.removeprefix(prefix), query, body, key)
            service.asked.append(one)
            found = service.answers.get(
                (one.method, one.path), Problem(404, f"The fake has no {one.method} {one.path}")
            )
            self.reply(found(one) if callable(found) else found)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

        def reply(self, found: Reply | Problem) -> None:
            status, kind = 200, "application/json"
            match found:
                case Problem():
                    status, kind, data = found.status, "application/problem+json", json.dumps(found.document()).encode()
                case BaseModel():
                    data = found.model_dump_json(by_alias=True).encode()
                case bytes():
                    kind, data = "application/octet-stream", found
                case None:
                    status, data = 204, b""
                case _:
                    data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            # A service that is taken away must not go on answering on a connection that was kept.
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}{prefix}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
