"""Both services with their workers in one process, and the story of a model from its training to its outcomes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from prediction_service import app as prediction_app
from shared.db import Connection
from tests.support import live
from tests.support.database import START, insert_rows, row
from tests.support.receiver import Receiver
from tests.support.serving import Api, served
from tests.support.training import MINUTES, body, learnable_rows, training_settings, working
from training_service import app as training_app

LOOKS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Clients of what runs."""

    training: Api
    prediction: Api


@asynccontextmanager
async def system(
    training_dsn: str, prediction_dsn: str, home: Path, *, signing_key: str = "", workers: bool = True, **changes: Any
) -> AsyncIterator[System]:
    """Run everything on addresses of the database that each service has for itself."""
    asked = training_settings(training_dsn, home, artifact_signing_key=signing_key)
    async with AsyncExitStack() as stack:
        training_url = await stack.enter_async_context(served(training_app.build(asked)))
        configured = live.settings(
            prediction_dsn, home, webhook_allowed_hosts=["127.0.0.1"],
            training_service_api_url=f"{training_url}/api", **changes,
        )  # fmt: skip
        prediction_url = await stack.enter_async_context(served(prediction_app.build(configured)))
        if workers:
            await stack.enter_async_context(working(asked))
            await stack.enter_async_context(live.running_worker(configured))
        clients = [
            Api(await stack.enter_async_context(aiohttp.ClientSession(url))) for url in (training_url, prediction_url)
        ]
        yield System(training=clients[0], prediction=clients[1])


async def ask(api: Api, method: str, path: str, given: Any = None) -> Any:
    """Ask for something that must not be refused."""
    status, answer = await api.call(method, f"/api{path}", json=given)
    assert status < 400, f"{method} {path} answers {status}: {answer}"
    return answer


async def trained(running: System, **changes: Any) -> int:
    """Train a model on the market of `learnable_rows`; give its id."""
    created = await ask(running.training, "POST", "/models/create", body(**changes))
    for _ in range(LOOKS):
        job = await ask(running.training, "GET", f"/queue/{created['job_id']}")
        if job["status"] == "COMPLETED":
            return int(job["result_model_id"])
        assert job["status"] in {"PENDING", "RUNNING"}, job["error_msg"]
        await asyncio.sleep(0.1)
    raise AssertionError("the job never ends")


async def whole_story(running: System, owner: Connection, there: Receiver) -> dict[str, Any]:
    """Train, import, predict a live row, have it sent and judge it; give the active model as the API shows it then."""
    await insert_rows(owner, learnable_rows())
    model_id = await trained(running)
    await ask(running.prediction, "POST", "/webhooks", {"url": there.url, "send_modes": ["all"]})
    active = await ask(running.prediction, "POST", "/models/import", {"model_id": model_id})
    path = f"/models/{active['active_model_id']}"
    await ask(running.prediction, "PATCH", f"{path}/settings", {"send_modes": ["all"]})
    await live.until_live(owner)
    last = 60 * MINUTES
    await insert_rows(owner, [row("coin000", last)])
    await live.until_predicted(owner, 1)
    (sent,) = await there.until(1)
    assert sent.data["coin_id"] == "coin000"
    # The clock passes the horizon and the patience behind it.
    later = START + timedelta(seconds=last + 420)
    await insert_rows(owner, [row("coin000", last + 290, price_close=6e-8), row("coin001", last + 420)])
    await live.until(owner, "SELECT outcome IS NOT NULL FROM predictions ORDER BY id LIMIT 1", expected=True)
    assert await owner.fetchval("SELECT max(timestamp) FROM coin_metrics") == later
    return dict(await ask(running.prediction, "GET", path))
