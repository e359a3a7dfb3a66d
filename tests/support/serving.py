"""Serve an app over HTTP inside a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
from aiohttp import web
from fastapi import FastAPI

from shared.web.app import Server, web_config


@asynccontextmanager
async def served(app: FastAPI, *, lifespan: Literal["on", "off"] = "on") -> AsyncIterator[str]:
    """Serve an API with uvicorn, as in production, on a free port; give its address. Off: without its database."""
    server = Server(web_config(app, host="127.0.0.1", port=0, lifespan=lifespan))
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the app did not start"
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def served_routes(routes: list[web.RouteDef]) -> AsyncIterator[str]:
    """Serve a few routes on a free port; give their address."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Api:
    """A client that gives status and parsed body."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(method, path, **options) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        return await self.call("POST", path, json=body, **options)


@asynccontextmanager
async def api_of(app: FastAPI) -> AsyncIterator[Api]:
    """Serve an API and give a client of it."""
    async with served(app) as address, aiohttp.ClientSession(address) as session:
        yield Api(session)
