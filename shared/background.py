"""Run a worker process: logging, signals, metrics port, event loop."""

import asyncio
import errno
import signal
import sys
from collections.abc import Awaitable, Callable

import prometheus_client
import structlog

from shared.errors import PumpcastError
from shared.logging import set_up_logging
from shared.settings import BasePart

log = structlog.get_logger(__name__)

PORTS_TO_TRY = 20


def new_loop() -> asyncio.AbstractEventLoop:
    """Give the fastest event loop this platform has."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def serve_metrics(host: str, port: int) -> int:
    """Serve Prometheus metrics on the port, or the next free one, which is logged; give the port."""
    for candidate in range(port, min(port + PORTS_TO_TRY, 65536)):
        try:
            prometheus_client.start_http_server(candidate, addr=host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        log.info("metrics served", host=host, port=candidate)
        return candidate
    log.warning("no free port for metrics", first=port, tried=PORTS_TO_TRY)
    return 0


def run_worker(
    main: Callable[[asyncio.Event], Awaitable[None]], *, settings: BasePart, service: str, metrics_port: int
) -> None:
    """Run `main(stop)` until it returns; SIGTERM and SIGINT set `stop`; an error ends the process with exit code 1."""
    set_up_logging(settings, service=service)

    async def supervised() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        serve_metrics("127.0.0.1", metrics_port)
        log.info("worker started")
        await main(stop)
        log.info("worker stopped")

    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(supervised())
    except PumpcastError as error:
        log.error("worker ends", error=error.message, code=error.code)  # noqa: TRY400 - the message says it all
        raise SystemExit(1) from None
