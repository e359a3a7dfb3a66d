"""A webhook receiver as a bot would have one: it believes nothing that is not signed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

Alert = tuple[str, str, int]
"""Coin, timestamp, active model."""


@dataclass(slots=True)
class Received:
    """What has arrived so far."""

    url: str = ""
    secret: str = ""
    messages: set[str] = field(default_factory=set)
    """Ids of verified messages; a message may arrive twice."""
    alerts: set[Alert] = field(default_factory=set)
    refused: int = 0


@asynccontextmanager
async def receiver() -> AsyncIterator[Received]:
    """Listen on a free port of this machine; the secret is set once the endpoint exists."""
    received = Received()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            Webhook(received.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            received.refused += 1
            return web.Response(status=401)
        received.messages.add(request.headers["webhook-id"])
        data = orjson.loads(body)["data"]
        received.alerts.update(
            (data["coin_id"], data["timestamp"], said["model"]["active_model_id"])
            for said in data["predictions"]
            if said["is_alert"]
        )
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        received.url = f"http://127.0.0.1:{port}/hook"
        yield received
    finally:
        await runner.cleanup()
