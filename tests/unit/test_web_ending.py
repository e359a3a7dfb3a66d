"""A service that ends while it answers: who waits too long is told so, with a problem."""

import asyncio
from pathlib import Path

import aiohttp
import uvicorn
from fastapi import FastAPI

from shared.web.app import Server
from tests.unit.test_web_guards import app_of


async def answer_when_ended(app: FastAPI) -> tuple[int, dict[str, str], dict[str, object]]:
    """Ask for what takes long, end the server meanwhile, and give status, headers and body."""
    asked = asyncio.Event()

    @app.get("/api/slow")
    async def slow() -> None:
        asked.set()
        await asyncio.sleep(60)

    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the server did not start"
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        asking = asyncio.create_task(session.get("/api/slow"))
        await asked.wait()
        server.should_exit = True
        answer = await asyncio.wait_for(asking, 20)
        found = answer.status, dict(answer.headers), await answer.json(content_type=None)
    await serving
    return found


async def test_request_when_the_service_ends_and_waits_no_longer_then_it_is_told_503_and_when_to_come_back(
    tmp_path: Path,
):
    status, headers, body = await answer_when_ended(app_of("", tmp_path))
    assert (status, body["code"], headers["Retry-After"]) == (503, "not_ready", "5")
    assert "being stopped" in str(body["detail"])
