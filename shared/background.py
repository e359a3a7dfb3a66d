"""Run a worker process: logging, signals, metrics port, event loop."""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable

import structlog

from shared.binding import check_binding
from shared.errors import PumpcastError, SettingsInvalid
from shared.logging import set_up_logging
from shared.metrics_server import serve_metrics
from shared.process_metrics import UPTIME
from shared.settings import ServiceSettings
from shared.tracing import set_up_tracing

log = structlog.get_logger(__name__)


def new_loop() -> asyncio.AbstractEventLoop:
    """Give the fastest event loop this platform has."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def run_worker(
    main: Callable[[asyncio.Event], Awaitable[None]], *, settings: ServiceSettings, service: str, metrics_port: int
) -> None:
    """Run `main(stop)` until it returns; SIGTERM and SIGINT set `stop`; an error ends the process with exit code 1."""
    set_up_logging(settings, service=service)
    set_up_tracing(service)
    started = time.monotonic()
    UPTIME.set_function(lambda: time.monotonic() - started)

    async def supervised() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        serve_metrics(settings, metrics_port)
        log.info("worker started")
        await main(stop)
        log.info("worker stopped")

    try:
        check_binding(settings)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(supervised())
    except SettingsInvalid as error:
        log.error("worker cannot start", error=error.message, code=error.code)  # noqa: TRY400 - the message says it all
        raise SystemExit(2) from None
    except PumpcastError as error:
        log.error("worker ends", error=error.message, code=error.code)  # noqa: TRY400 - the message says it all
        raise SystemExit(1) from None
