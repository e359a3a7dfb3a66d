"""Every field of every route of the prediction API under generated input: answers as documented, no fault of ours."""

import asyncio
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import ensure_resource_availability, positive_data_acceptance

from prediction_service.app import build
from shared.db import open_pool
from tests.support import fuzzing
from tests.support.fuzzed_state import MODELS, fill
from tests.support.live import settings
from tests.support.serving import served
from tests.support.training_stub import training_stub

# A cursor that nobody gave, an address inside the network, a file called picture.png: of the right shape, and wrong.
CHECKED_BEYOND_SHAPE = {
    "/api/webhooks", "/api/webhooks/{endpoint_id}", "/api/predictions", "/api/webhook-deliveries", "/api/promotions",
    "/api/models/{active_id}/settings", "/api/models/{active_id}/promote", "/api/models/{active_id}/statistics",
    "/api/webhooks/{endpoint_id}/recover", "/api/predict", "/api/coins/{coin_id}/history",
    "/api/paper/account/create", "/api/paper/account/{model_id}", "/api/paper/positions/{model_id}",
    "/api/paper/position/open", "/api/paper/position/{position_id}/close", "/api/paper/price-update",
    "/api/paper/signal", "/api/paper/equity/{model_id}", "/api/candles", "/api/candles/coverage",
    "/api/model-packages/upload",
}  # fmt: skip


IDS = {
    "id", "active_id", "active_model_id", "model_id", "endpoint_id", "delivery_id", "prediction_id", "replaces",
    "position_id",
}  # fmt: skip
NAMES = {
    "coin_id": ("a", "0", "ß/ ?"), "url": ("http://127.0.0.1:9/hook",) * 3,
    "model_id": ("one", "paper_one", "two"), "package_id": ("one", "two", "two"), "symbol": ("BTCUSDT",) * 3,
}  # fmt: skip


def near(name: str, value: Any) -> Any:
    """Give something that is there, or is missing by a hair, where any was made up; what has no such shape stays."""
    if name in IDS and type(value) is int:
        return 1 + value % (MODELS + 1) if 0 < value < 2**31 else value
    if name in NAMES and isinstance(value, str) and 0 < len(value) < 40 and value.isprintable():
        return (*NAMES[name], value)[(len(value) - 1) % 4]
    if name in ("active_model_ids", "model_ids") and isinstance(value, list):
        return [near("id", one) for one in value]
    return value


def with_near_ids(_context: object, given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Let requests hit what is there."""
    return {name: near(name, value) for name, value in given.items()} if isinstance(given, dict) else given


@cache
def schema() -> BaseSchema:
    """Give what the API says of itself."""
    app = build(settings("postgresql://nobody@nowhere/none", Path("/nowhere")))
    found = schemathesis.openapi.from_dict(app.openapi())
    for part in ("path_parameters", "query", "body"):
        found.hook(f"map_{part}")(with_near_ids)
    return found


@pytest.fixture
def address(database: str, tmp_path: Path) -> Iterator[str]:
    """Serve the API and a stand-in of the training service from a thread, as the fuzzer blocks its own."""
    found: list[str] = []
    ready, done = threading.Event(), asyncio.Event()

    async def serve() -> None:
        pool = await open_pool(database, application="tests")
        await fill(pool, tmp_path)
        await pool.close()
        async with training_stub() as stub:
            for model_id in (1, 5):
                stub.add(tmp_path, model_id=model_id)
            configured = settings(
                database, tmp_path, training_service_api_url=stub.url, webhook_allowed_hosts=["127.0.0.1"],
                **fuzzing.key_settings(),
            )  # fmt: skip
            async with served(build(configured)) as there:
                found.append(there)
                ready.set()
                await done.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    while not ready.wait(0.05):
        assert thread.is_alive(), "the API does not start"
    yield found[0]
    loop.call_soon_threadsafe(done.set)
    thread.join(30)
    loop.close()
    fuzzing.tell()


@pytest.mark.parametrize("route", fuzzing.routes("prediction"))
def test_any_input_is_answered_as_documented(route: str, address: str):
    left_out = [
        # What a DELETE removed may be asked for by another case.
        ensure_resource_availability,
        *([positive_data_acceptance] if route.partition(" ")[2] in CHECKED_BEYOND_SHAPE else []),
    ]

    def check(case: schemathesis.Case) -> None:
        fuzzing.ask(case, address, excluded=left_out)

    fuzzing.fuzz(schema(), route, check, few=25)
