"""The receiver of webhooks beside Playwright: the same server, in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.receiver import Receiver, receiver


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver until the end of the block; its `requests` may be read at any time."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    started: list[Receiver] = []

    async def work() -> None:
        async with receiver() as found:
            started.append(found)
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(work())
        finally:
            loop.close()
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
