"""Every field of every route of the training API under generated input: answers as documented, no fault of ours."""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import cache

import psycopg
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    ensure_resource_availability,
    positive_data_acceptance,
    use_after_free,
)

from shared.coin_metrics.columns import BASE_FEATURES
from shared.contracts.model_request import CreateModel
from shared.db import open_pool
from shared.web.app import Server, web_config
from tests.support import fuzzing
from tests.support.database import START, insert_rows, row
from tests.support.training import body, training_settings
from training_service.app import build
from training_service.settings import TrainingSettings
from training_service.usecases import job_progress
from training_service.usecases.jobs import enqueue

# A deleted model can still be looked at, so that the prediction service sees what it lost.
SOFT_DELETION = [use_after_free, ensure_resource_availability]
# No schema says that the end must come after the start, that a horizon needs a threshold, or which model may be tested.
CROSS_FIELD = {
    "/api/models/create", "/api/models/tune", "/api/models/preflight",
    "/api/models/compare", "/api/models/{model_id}/test",
}  # fmt: skip


@cache
def schema() -> BaseSchema:
    """Give what the API says of itself."""
    return schemathesis.openapi.from_dict(build(TrainingSettings(db_dsn="postgresql://nobody@nowhere/none")).openapi())


def fill(dsn: str) -> None:
    """Have one of everything: models, jobs in several states, a test result, a comparison, a few rows."""
    with psycopg.connect(dsn) as connection:
        for name, status in (("ready", "READY"), ("failed", "FAILED"), ("other", "READY")):
            connection.execute(
                "INSERT INTO ml_models (name, model_type, status, target_variable, train_start, train_end, features)"
                " VALUES (%s, 'xgboost', %s, 'price_close', now() - interval '1 day', now(), '[]')",
                (name, status),
            )
        connection.execute("INSERT INTO ml_test_results (model_id, test_start, test_end) VALUES (1, now(), now())")
        connection.execute(
            "INSERT INTO ml_comparisons (model_ids, model_a_id, model_b_id, test_start, test_end)"
            " VALUES ('[1, 3]', 1, 3, now(), now())"
        )

    async def add() -> None:
        pool = await open_pool(dsn, application="tests")
        async with pool.acquire() as connection:
            await insert_rows(connection, [row("coin", 60 * minute) for minute in range(30)])
        for number in range(4):
            asked = CreateModel.model_validate(body(name=f"job {number}"))
            await enqueue(pool, request=asked, request_id="test")
        await pool.execute("UPDATE ml_jobs SET status = 'COMPLETED', result_model_id = 1 WHERE id = 1")
        await pool.execute("UPDATE ml_jobs SET status = 'FAILED', error_msg = 'no' WHERE id = 2")
        await pool.close()

    asyncio.run(add())


@pytest.fixture
def address(database: str, tmp_path, monkeypatch) -> Iterator[str]:
    # Nobody works here: a job that waits would be followed for an hour.
    monkeypatch.setattr(job_progress, "LONGEST_SECONDS", 0.1)
    monkeypatch.setattr(job_progress, "LOOK_SECONDS", 0.05)
    fill(database)
    configured = training_settings(database, tmp_path, **fuzzing.key_settings())
    server = Server(web_config(build(configured), port=0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the app did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    fuzzing.tell()


MINUTE = st.integers(-5, 40)
LOOKS = st.fixed_dictionaries(
    {
        "train_start": MINUTE, "train_end": MINUTE,
        "features": st.lists(st.sampled_from([*BASE_FEATURES, "price_change_5", "volume_ratio_2"]), min_size=1),
        "model_type": st.sampled_from(["xgboost", "random_forest"]),
        "use_engineered_features": st.booleans(), "use_smote": st.booleans(), "use_timeseries_split": st.booleans(),
        "cv_splits": st.integers(2, 20), "test_size": st.floats(0.05, 0.5), "refit": st.booleans(),
    },
    optional={
        "future_minutes": st.integers(1, 10), "min_percent_change": st.floats(0.001, 100),
        "target_var": st.sampled_from(BASE_FEATURES), "direction": st.sampled_from(["up", "down"]),
        "label_mode": st.sampled_from(["at_horizon", "within_horizon"]),
        "label_resolution": st.sampled_from(["recording", "observed"]),
        "phases": st.lists(st.integers(0, 3), min_size=1), "sample_by_coin": st.floats(0.01, 0.99),
        "trials": st.integers(1, 500), "params": st.just({}),
    },
)  # fmt: skip


@fuzzing.examples(60)
@given(LOOKS)
def test_any_look_at_rows_that_are_there_is_answered_as_documented(address, drawn):
    begin, end = (START + timedelta(minutes=minute) for minute in sorted((drawn["train_start"], drawn["train_end"])))
    asked = body(**{**drawn, "train_start": begin.isoformat(), "train_end": end.isoformat()})
    case = schema()["/api/models/preflight"]["POST"].Case(body=asked, media_type="application/json")

    answer = fuzzing.ask(case, address, excluded=[*SOFT_DELETION, positive_data_acceptance], key="write")

    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        report = answer.json()
        assert report["ok"] is not bool(report["errors"])


@pytest.mark.parametrize("route", fuzzing.routes("training"))
def test_any_input_is_answered_as_documented(route: str, address: str):
    left_out = [*SOFT_DELETION, *([positive_data_acceptance] if route.partition(" ")[2] in CROSS_FIELD else [])]

    def check(case: schemathesis.Case) -> None:
        fuzzing.ask(case, address, excluded=left_out)

    fuzzing.fuzz(schema(), route, check, few=40)
