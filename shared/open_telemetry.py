"""Spans by OpenTelemetry: sent by OTLP over HTTP, as its own variables say; imported where traces are wanted alone."""

import atexit
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from shared.tracing import LIVE_BATCH, WEBHOOK_ATTEMPT, Kind, Value

RARELY_SECONDS: Final = 1.0
"""Of what nobody asked for and comes by the hundred, one in so long is kept."""
END_SECONDS: Final = 2.0
"""So long the end of a process waits for a collector that does not take the last spans."""
_FREQUENT: Final = frozenset({LIVE_BATCH, WEBHOOK_ATTEMPT})
_FIELD: Final = "traceparent"
_PORTS: Final = {"http": 80, "https": 443}


class RootSampler(Sampler):
    """Decides as usual, except about what nothing led to: polling is left out, and most live batches are."""

    def __init__(self, usual: Sampler) -> None:
        self._usual = usual
        self._not_before: dict[str, float] = {}

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Tell whether a span is kept."""
        parent = trace.get_current_span(parent_context).get_span_context()
        if parent.is_valid:
            # What was left out here takes what it does with it, whatever the usual sampler says of children.
            is_dropped = not (parent.is_remote or parent.trace_flags.sampled)
        else:
            is_dropped = self._is_noise(name, kind)
        if is_dropped:
            return SamplingResult(Decision.DROP)
        return self._usual.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Say what this is."""
        return f"RootSampler{{{self._usual.get_description()}}}"

    def _is_noise(self, name: str, kind: SpanKind | None) -> bool:
        if name not in _FREQUENT:
            return kind is SpanKind.CLIENT
        now = time.monotonic()
        if now < self._not_before.get(name, 0.0):
            return True
        self._not_before[name] = now + RARELY_SECONDS
        return False


class _Span:
    """A span as the rest of the code knows it."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, **attributes: Value) -> None:
        """Add what became known meanwhile."""
        for name, value in attributes.items():
            self._span.set_attribute(f"pumpcast.{name}", value)


class OpenTelemetry:
    """The spans of this process."""

    def __init__(self, service: str) -> None:
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": f"pumpcast-{service}"}
        provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        provider.sampler = RootSampler(provider.sampler)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        _send_the_last(provider)
        # FastAPI goes by it as well: each request is a span that is named by its route.
        trace.set_tracer_provider(provider)
        self._tracer = trace.get_tracer("pumpcast")
        AsyncPGInstrumentor().instrument()  # type: ignore[no-untyped-call]
        # A path may be a secret: that of a webhook often is.
        AioHttpClientInstrumentor().instrument(url_filter=_origin)

    @contextmanager
    def span(self, name: str, *, kind: Kind, parent: str | None, attributes: Mapping[str, Value]) -> Iterator[_Span]:
        """Give the span of a block."""
        context = None if parent is None else propagate.extract({_FIELD: parent})
        told = {f"pumpcast.{key}": value for key, value in attributes.items()}
        with self._tracer.start_as_current_span(name, context, SpanKind[kind.upper()], told) as span:
            yield _Span(span)

    def traceparent(self) -> str | None:
        """Give what names the present span to another process; None where it is not kept."""
        if not trace.get_current_span().is_recording():
            return None
        carried: dict[str, str] = {}
        propagate.inject(carried)
        return carried.get(_FIELD)

    def present_ids(self) -> dict[str, str]:
        """Give trace_id and span_id of the present span, kept or not."""
        found = trace.get_current_span().get_span_context()
        if not found.is_valid:
            return {}
        return {"trace_id": trace.format_trace_id(found.trace_id), "span_id": trace.format_span_id(found.span_id)}


def _send_the_last(provider: TracerProvider) -> None:
    """Send what is left when the process ends; the library itself would wait for half a minute."""
    ends = threading.Event()

    def send() -> None:
        ends.wait()
        provider.shutdown()

    # Started now: at the end of a process no thread may be.
    sender = threading.Thread(target=send, name="last spans", daemon=True)
    sender.start()

    def end() -> None:
        ends.set()
        sender.join(END_SECONDS)

    atexit.register(end)


def _origin(url: object) -> str:
    parts = urlsplit(str(url))
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 0)}"
