"""The process that does the work of packages: validation, warm-up, trading on candles.

The worker starts it with its settings on stdin, which stays open as a sign that the worker lives.
"""

import asyncio
import faulthandler
import os
import signal
import threading

import structlog

from prediction_service.settings import PredictionSettings
from prediction_service.store import package_work
from prediction_service.store.packages import CHANNEL
from prediction_service.usecases.package_work import work_on_packages
from shared.background import new_loop
from shared.db import ConnectionLost, PostgresError, connect, open_pool
from shared.errors import PumpcastError
from shared.logging import set_up_logging
from shared.wakeup import Wakeup

log = structlog.get_logger(__name__)

ORPHANED = 3
STDIN = 0


def main() -> None:
    """Work until there is nothing to do, or until told to end."""
    faulthandler.enable()
    # Live predictions come first.
    os.nice(5)
    settings = PredictionSettings.model_validate_json(_read_line())
    set_up_logging(settings, service="prediction-packages")
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_run(settings))
    except PumpcastError as error:
        log.error("process of packages ends", error=error.message, code=error.code)  # noqa: TRY400
        raise SystemExit(1) from None
    except (*ConnectionLost, PostgresError) as error:
        log.error("process of packages ends", error=type(error).__name__)  # noqa: TRY400
        raise SystemExit(1) from None


async def _run(settings: PredictionSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    lock = await connect(settings.db_dsn, application="pumpcast packages lock")
    try:
        if not await package_work.take(lock):
            log.info("another process works on packages")
            return
        # Without the lock somebody else begins.
        lock.add_termination_listener(lambda _connection: stop.set())
        await _work(settings, stop)
    finally:
        lock.terminate()


async def _work(settings: PredictionSettings, stop: asyncio.Event) -> None:
    pool = await open_pool(settings.db_dsn, application="prediction-packages")
    try:
        async with Wakeup(settings.db_dsn, CHANNEL) as changes, asyncio.TaskGroup() as group:
            if settings.candle_feeds:
                # What talks to exchanges is an extra.
                from prediction_service.usecases.feeds import follow_feeds

                group.create_task(follow_feeds(pool, settings, stop), name="candle feeds")
            await work_on_packages(pool, settings, changes, stop)
            stop.set()
    finally:
        await pool.close()


def _read_line() -> bytes:
    # Not through sys.stdin: its lock, held by the waiting thread, would break the end of the interpreter.
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(STDIN, 1 << 16)
        if not part:
            os._exit(ORPHANED)
        line += part
    return line


def _follow_parent() -> None:
    while os.read(STDIN, 1 << 10):
        pass
    os._exit(ORPHANED)


if __name__ == "__main__":
    main()
