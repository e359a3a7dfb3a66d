"""The body of an upload: taken from the connection in blocks, each handled in a thread, in time or not at all."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from prediction_service.usecases.package_form import MIB, Form, FormReader
from shared.errors import TooSlow

P = ParamSpec("P")
T = TypeVar("T")

IDLE_SECONDS = 30.0
"""Without a byte."""
TOTAL_SECONDS = 3600.0
BLOCK_BYTES = MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request body that is still arriving."""

    stream: AsyncIterator[bytes]
    content_type: str | None
    content_length: int | None
    """As the client says; None when it does not."""


async def receive(body: Body, reader: FormReader) -> Form:
    """Give the form that a body is, once all of it is on the disk."""
    try:
        async with (
            _in_time(TOTAL_SECONDS, f"The upload took more than {TOTAL_SECONDS / 60:g} minutes"),
            aclosing(_blocks(body.stream)) as blocks,
        ):
            async for block in blocks:
                await to_end(reader.feed, block)
        return await to_end(reader.finish)
    finally:
        await to_end(reader.close)


async def _blocks(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Gather what comes into blocks that are worth a thread."""
    gathered = bytearray()
    while True:
        async with _in_time(IDLE_SECONDS, f"Nothing of the upload came for {IDLE_SECONDS:g} seconds"):
            piece = await anext(stream, None)
        if piece is None:
            break
        gathered += piece
        if len(gathered) >= BLOCK_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


@asynccontextmanager
async def _in_time(seconds: float, trouble: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise TooSlow(f"{trouble}: send it again") from None
        raise


async def to_end(call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Run something in a thread, and never leave it running: who is cancelled waits for its end."""
    task = asyncio.ensure_future(asyncio.to_thread(call, *args, **named))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
