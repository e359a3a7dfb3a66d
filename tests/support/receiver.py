"""A receiver of webhooks: a real HTTP server that keeps what it gets and answers as a test tells it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks import Webhook

from shared.contracts.webhook import PredictionMessage
from tests.support.serving import served_routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def verified(self, secret: str) -> PredictionMessage:
        """Check signature and shape as a receiver would."""
        Webhook(secret).verify(self.body, dict(self.headers))
        return PredictionMessage.model_validate_json(self.body)

    @property
    def data(self) -> Any:
        return orjson.loads(self.body)["data"]


@dataclass(slots=True)
class Receiver:
    """What came, and what is answered: `answers` one after the other, then 200."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)
    delay_seconds: float = 0.0
    at_once: int = 0
    most_at_once: int = 0
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append(Received(path=request.path, headers=dict(request.headers), body=body))
        async with self.came:
            self.came.notify_all()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.delay_seconds)
        self.at_once -= 1
        return self.answers.pop(0) if self.answers else web.Response(text="ok")

    async def until(self, count: int, *, seconds: float = 20) -> list[Received]:
        """Wait for so many requests."""
        async with asyncio.timeout(seconds), self.came:
            await self.came.wait_for(lambda: len(self.requests) >= count)
        return self.requests


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Run a receiver."""
    found = Receiver()
    async with served_routes([web.post("/{path:.*}", found.handle)]) as address:
        found.url = f"{address}/hook"
        yield found
