"""Every field of every route of the prediction API under generated input: answers as documented, no fault of ours."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import settings as examples
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import ensure_resource_availability, positive_data_acceptance

from prediction_service.app import build
from shared.db import Pool, connect, open_pool, transaction
from tests.support.database import START, insert_rows, row
from tests.support.live import settings
from tests.support.models import activate_model
from tests.support.serving import served
from tests.support.training_stub import training_stub

load_all_checks()
schema = schemathesis.openapi.from_dict(build(settings("postgresql://nobody@nowhere/none", Path("/nowhere"))).openapi())
# A cursor that nobody gave, an address inside the network, an id of no model: fields of the right shape that are wrong.
CHECKED_BEYOND_SHAPE = {
    "/api/webhooks", "/api/webhooks/{endpoint_id}", "/api/predictions", "/api/webhook-deliveries", "/api/promotions",
    "/api/models/{active_id}/settings", "/api/models/{active_id}/promote",
}  # fmt: skip


async def fill(pool: Pool, dsn: str, home: Path) -> None:
    """Have one of everything."""
    connection = await connect(dsn)
    await insert_rows(connection, [row("0", second) for second in range(3)])
    await connection.close()
    await activate_model(pool, home, model_id=1)
    await activate_model(pool, home, model_id=2)
    async with transaction(pool) as inside:
        await inside.execute(
            "INSERT INTO predictions"
            " (active_model_id, model_id, coin_id, data_timestamp, prediction, probability, threshold)"
            " SELECT n, n, '0', $1, 1, 0.9, 0.5 FROM generate_series(1, 2) AS n",
            START,
        )
        await inside.execute("INSERT INTO webhook_endpoints (url, secret) VALUES ('https://example.com', 'whsec_AAAA')")
        await inside.execute(
            "INSERT INTO webhook_deliveries (endpoint_id, webhook_id, event_type, body, expires_at)"
            " VALUES (1, 'msg_1', 'prediction.alert', '{}', now())"
        )


@pytest.fixture
def address(database: str, tmp_path: Path) -> Iterator[str]:
    """Serve the API and a stand-in of the training service from a thread, as the fuzzer blocks its own."""
    found: list[str] = []
    ready, done = threading.Event(), asyncio.Event()

    async def serve() -> None:
        pool = await open_pool(database, application="tests")
        await fill(pool, database, tmp_path)
        await pool.close()
        async with training_stub() as stub:
            stub.add(tmp_path, model_id=3)
            configured = settings(database, tmp_path, training_service_api_url=stub.url)
            async with served(build(configured)) as there:
                found.append(there)
                ready.set()
                await done.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(30)
    yield found[0]
    loop.call_soon_threadsafe(done.set)
    thread.join(30)
    loop.close()


@schema.parametrize()
@examples(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_input_is_answered_as_documented(case: schemathesis.Case, address: str):
    left_out = [
        # What a DELETE removed may be asked for by another case.
        ensure_resource_availability,
        *([positive_data_acceptance] if case.operation.path in CHECKED_BEYOND_SHAPE else []),
    ]
    case.call_and_validate(base_url=address, excluded_checks=left_out)
