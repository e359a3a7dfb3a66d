"""Spans of what a process does, for whoever collects them; without OTEL_EXPORTER_OTLP_ENDPOINT nothing is imported."""

import importlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, Protocol

import structlog

log = structlog.get_logger(__name__)

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
INSTALL: Final = "pip install 'pumpcast[otel]'"
LIVE_BATCH: Final = "live batch"
WEBHOOK_ATTEMPT: Final = "webhook attempt"
Kind = Literal["internal", "client", "server", "producer", "consumer"]
Value = str | int | float | bool
_PARTS: Final = 4
_TRACE_DIGITS: Final = 32


class Span(Protocol):
    """Something that is being done."""

    def note(self, **attributes: Value) -> None:
        """Add what became known meanwhile."""


class Backend(Protocol):
    """What makes spans."""

    def span(
        self, name: str, *, kind: Kind, parent: str | None, attributes: Mapping[str, Value]
    ) -> AbstractContextManager[Span]:
        """Give the span of a block."""

    def traceparent(self) -> str | None:
        """Give what names the present span to another process."""

    def present_ids(self) -> dict[str, str]:
        """Give trace_id and span_id of the present span."""


class _Nothing:
    """The span of a process that makes none."""

    def note(self, **attributes: Value) -> None:
        """Forget it."""


_NOTHING: Final = _Nothing()
_backend: Backend | None = None


def set_up_tracing(service: str) -> None:
    """Send spans where OTEL_EXPORTER_OTLP_ENDPOINT says; without the libraries it is said once, and work goes on."""
    global _backend  # noqa: PLW0603 - one for the process, as its logging is
    if not os.environ.get(ENDPOINT) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        # By its name: whoever traces nothing depends on nothing of it.
        found = importlib.import_module("shared.open_telemetry")
    except ModuleNotFoundError as error:
        log.warning("traces are not sent: a library is missing", variable=ENDPOINT, missing=error.name, install=INSTALL)
        return
    _backend = found.OpenTelemetry(service)


def is_tracing() -> bool:
    """Tell whether spans are made."""
    return _backend is not None


def span(
    name: str, *, kind: Kind = "internal", parent: str | None = None, **attributes: Value
) -> AbstractContextManager[Span]:
    """Give the span of a block: below the present one, or below that of another process which `parent` names."""
    if _backend is None:
        return nullcontext(_NOTHING)
    return _backend.span(name, kind=kind, parent=parent, attributes=attributes)


def traceparent() -> str | None:
    """Give what names the present span to another process; None where none is made or kept."""
    return None if _backend is None else _backend.traceparent()


def trace_headers() -> dict[str, str]:
    """Give what names the present span to whoever gets a request."""
    told = traceparent()
    return {} if told is None else {"traceparent": told}


def present_ids() -> dict[str, str]:
    """Give trace_id and span_id of the present span, as log lines carry them."""
    return {} if _backend is None else _backend.present_ids()


def told_ids(told: str | None) -> dict[str, str]:
    """Give trace_id and span_id of a traceparent, as log lines carry them.

    >>> told_ids("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")["span_id"], told_ids(None)
    ('b7ad6b7169203331', {})
    """
    parts = (told or "").split("-")
    if len(parts) != _PARTS or len(parts[1]) != _TRACE_DIGITS:
        return {}
    return {"trace_id": parts[1], "span_id": parts[2]}
