"""Three receivers of webhooks: a good one, a slow one, and one that fails; what they took is verified and counted."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import orjson
from aiohttp import web
from pydantic import ValidationError
from standardwebhooks import WebhookVerificationError

from tests.support.receiver import Received
from tests.support.serving import served_routes

PATHS: Final = ("good", "slow", "failing")
SLOW_SECONDS: Final = 0.5


@dataclass(slots=True)
class Receivers:
    """What came, by receiver."""

    url: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    taken: dict[str, Counter[str]] = field(default_factory=lambda: {path: Counter() for path in PATHS})
    """How often each message came."""
    bodies: dict[tuple[str, str], int] = field(default_factory=dict)
    """Hash of what each message says; its time differs where a crash of the server had the work done again."""
    troubles: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Take a message, or fail."""
        path, body = request.match_info["path"], await request.read()
        number = request.headers.get("webhook-id", "")
        try:
            Received(path=path, headers=dict(request.headers), body=body).verified(self.secrets[path])
        except (WebhookVerificationError, ValidationError) as error:
            self.troubles.append(f"message {number} of {path} is not as it must be: {error}")
        said = hash(orjson.dumps(orjson.loads(body).get("data")))
        if self.bodies.setdefault((path, number), said) != said:
            self.troubles.append(f"message {number} of {path} came again and said something else")
        if path == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        self.taken[path][number] += 1
        return web.Response(status=500 if path == "failing" else 200)

    @property
    def repeated(self) -> int:
        """Count messages that came again though they were taken."""
        return sum(times - 1 for path in ("good", "slow") for times in self.taken[path].values())


@asynccontextmanager
async def receivers() -> AsyncIterator[Receivers]:
    """Run the receivers."""
    found = Receivers()
    async with served_routes([web.post("/{path}", found.take)]) as address:
        found.url = address
        yield found
