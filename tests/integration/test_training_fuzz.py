"""Every field of every route of the training API under generated input: answers as documented, no fault of ours."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    ensure_resource_availability,
    positive_data_acceptance,
    use_after_free,
)

from tests.support.training import training_settings
from training_service.app import build
from training_service.settings import TrainingSettings

load_all_checks()
# A deleted model can still be looked at, so that the prediction service sees what it lost.
SOFT_DELETION = [use_after_free, ensure_resource_availability]
# No schema says that the end must come after the start, or that a horizon needs a threshold.
CROSS_FIELD = {
    "/api/models/create",
    "/api/models/preflight",
    "/api/models/tune",
    "/api/models/compare",
    "/api/models/{model_id}/test",
}


schema = schemathesis.openapi.from_dict(build(TrainingSettings(db_dsn="postgresql://nobody@nowhere/none")).openapi())


@pytest.fixture
def address(database, tmp_path) -> Iterator[str]:
    with psycopg.connect(database) as connection:
        for status in ("READY", "FAILED"):
            connection.execute(
                "INSERT INTO ml_models (name, model_type, status, target_variable, train_start, train_end, features)"
                " VALUES (%(status)s, 'xgboost', %(status)s, 'price_close', now(), now(), '[]')",
                {"status": status},
            )
    app = build(training_settings(database, tmp_path))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the app did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@schema.parametrize()
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_input_is_answered_as_documented(case, address):
    left_out = [*SOFT_DELETION, *([positive_data_acceptance] if case.operation.path in CROSS_FIELD else [])]
    case.call_and_validate(base_url=address, excluded_checks=left_out)
