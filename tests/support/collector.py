"""A collector of traces: a real HTTP server that takes OTLP in protobuf and keeps its spans."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanSeen:
    """One span as it came."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]


@dataclass(slots=True)
class Collector:
    """Where to send, and what came."""

    url: str = ""
    spans: list[SpanSeen] = field(default_factory=list)

    def of_trace(self, trace: str) -> list[SpanSeen]:
        return [one for one in self.spans if one.trace == trace]

    def way_to(self, span: SpanSeen) -> list[tuple[str, str]]:
        """Give service and name of a span and all above it, the root first."""
        known = {one.id: one for one in self.spans}
        way = [span]
        while (above := known.get(way[0].parent)) is not None:
            way.insert(0, above)
        return [(one.service, one.name) for one in way]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            found.spans += _spans(sent)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _spans(sent: ExportTraceServiceRequest) -> Iterator[SpanSeen]:
    for resource in sent.resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for one in scope.spans:
                yield SpanSeen(
                    service=service, name=one.name, trace=one.trace_id.hex(), id=one.span_id.hex(),
                    parent=one.parent_span_id.hex(), attributes=_values(one.attributes),
                )  # fmt: skip


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
