"""How long a request may take: a minute, unless its route keeps its own time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request
from starlette.types import Message, Receive

REQUEST_SECONDS: Final = 60.0


class Overdue(Exception):
    """A request that took too long."""

    def __init__(self, *, is_client_slow: bool) -> None:
        super().__init__("the request took too long")
        self.is_client_slow = is_client_slow
        """Its body was still being waited for."""


async def own_time(request: Request) -> None:
    """Let a route go on beyond the limit: a dependency of events, downloads, uploads, which have their own."""
    request.state.limit.reschedule(None)


class Arrival:
    """Knows whether a body is being waited for."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_complete = False
        self._is_awaited = False

    @property
    def is_slow(self) -> bool:
        """Tell whether the route waits for more of the body."""
        return self._is_awaited and not self._is_complete

    async def receive(self) -> Message:
        """Give the next part of the body."""
        self._is_awaited = True
        message = await self._receive()
        self._is_awaited = False
        self._is_complete = not message.get("more_body", False)
        return message


@asynccontextmanager
async def in_time(request: Request, arrival: Arrival) -> AsyncIterator[None]:
    """End the block when its time is over, with `Overdue`."""
    limit = asyncio.timeout(REQUEST_SECONDS)
    request.state.limit = limit
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise Overdue(is_client_slow=arrival.is_slow) from None
        raise
