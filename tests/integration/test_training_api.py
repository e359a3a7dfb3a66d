"""The training API: asking for models, following jobs, managing models."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.support.serving import served
from tests.support.training import body, training_settings
from training_service.app import build
from training_service.ml.model_types import MODEL_TYPES
from training_service.store import jobs


@pytest.fixture
async def address(database, tmp_path) -> AsyncIterator[str]:
    async with served(build(training_settings(database, tmp_path))) as url:
        yield url


@pytest.fixture
async def api(address) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"{address}/api/") as session:
        yield session


async def ask(api, **changes):
    async with api.post("models/create", json=body(**changes)) as answer:
        return answer.status, await answer.json(), answer.headers


async def get(api, path, **params):
    async with api.get(path, params=params) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def add_model(connection, name, **columns):
    columns = {"model_type": "xgboost", "status": "READY", "is_deleted": False, **columns}
    return await connection.fetchval(
        "INSERT INTO ml_models"
        " (name, target_variable, train_start, train_end, features, model_type, status, is_deleted)"
        " VALUES ($1, 'price_close', now() - interval '1 day', now(), '[]', $2, $3, $4) RETURNING id",
        name, columns["model_type"], columns["status"], columns["is_deleted"],
    )  # fmt: skip


async def test_a_request_becomes_a_waiting_job_that_says_everything(api, connection):
    status, created, headers = await ask(api, use_engineered_features=True, phases=[2, 1, 2], priority=7)

    assert status == 201
    assert headers["Location"] == f"/api/queue/{created['job_id']}"
    assert created["status"] == "PENDING"
    assert created["name"] == "a model"
    job = await get(api, f"queue/{created['job_id']}")
    assert job["model_name"] == "a model"
    assert job["train_features"][:5] == body()["features"]
    assert "price_roc_15" in job["train_features"]
    assert job["train_params"]["n_estimators"] == 20
    assert job["train_params"]["learning_rate"] == MODEL_TYPES["xgboost"].defaults["learning_rate"]
    assert job["train_phases"] == [1, 2]
    assert (job["train_future_minutes"], job["train_price_change_percent"], job["train_target_direction"]) == (
        5,
        5,
        "up",
    )
    assert job["request"]["label_resolution"] == "recording"
    assert job["request_id"] == headers["X-Request-ID"]
    assert job["priority"] == 7
    assert job["result_model"] is None


async def test_a_request_in_the_old_shape_is_read_as_the_same_target(api):
    old = {"_time_based": {"enabled": True, "future_minutes": 10, "min_percent_change": 30.0, "direction": "down"}}
    _, created, _ = await ask(api, future_minutes=..., min_percent_change=..., params={**old, "max_depth": 4})

    job = await get(api, f"queue/{created['job_id']}")

    assert (job["train_future_minutes"], job["train_price_change_percent"]) == (10, 30)
    assert job["train_target_direction"] == "down"
    assert job["train_params"]["max_depth"] == 4
    assert "_time_based" not in job["train_params"]


async def test_a_request_wakes_the_workers(api, connection):
    heard = asyncio.Event()
    await connection.add_listener("ml_jobs_insert", lambda *_: heard.set())

    await ask(api)

    await asyncio.wait_for(heard.wait(), 5)


async def test_the_target_among_the_features_is_taken_out_with_a_warning(api):
    _, created, _ = await ask(api, features=["price_close", "volume_sol"])

    # The table is empty, which is told as well.
    assert [warning["code"] for warning in created["warnings"]] == ["will_fail", "target_in_features"]
    job = await get(api, f"queue/{created['job_id']}")
    assert job["train_features"] == ["volume_sol"]
    assert job["warnings"] == created["warnings"]


async def test_a_taken_name_gets_the_next_number_whether_a_model_or_a_job_has_it(api, connection):
    await add_model(connection, "pump")
    await add_model(connection, "pump (3)")
    await add_model(connection, "gone", is_deleted=True)

    names = [(await ask(api, name=name))[1]["name"] for name in ("pump", "pump", "gone", "pum", "gone")]

    assert names == ["pump (2)", "pump (4)", "gone", "pum", "gone (2)"]


async def test_twenty_requests_at_once_for_one_name_get_twenty_names(api):
    answers = await asyncio.gather(*(ask(api, name="same") for _ in range(20)))

    assert len({created["name"] for _, created, _ in answers}) == 20
    assert {status for status, _, _ in answers} == {201}


WRONG = {
    "naive time": ({"train_start": "2026-03-01T12:00:00"}, "/train_start", "a time with an offset"),
    "a number for a time": ({"train_start": 1_700_000_000}, "/train_start", "a time with an offset"),
    "end before start": ({"train_end": "2026-02-01T00:00:00Z"}, "/train_end", "later than train_start"),
    "horizon beyond the window": ({"future_minutes": 151}, "/future_minutes", "longer than the training window of 150"),
    "unknown key": ({"colour": "red"}, "/colour", "Extra inputs are not permitted"),
    "no horizon": ({"future_minutes": ...}, "/future_minutes", "is needed when use_time_based_prediction is true"),
    "half a rule": (
        {"use_time_based_prediction": False, "operator": ">", "future_minutes": ..., "min_percent_change": ...},
        "/target_value",
        "is needed when use_time_based_prediction is false",
    ),
    "rule and horizon": ({"operator": ">"}, "/operator", "belongs to use_time_based_prediction false"),
    "unknown feature": ({"features": ["volume_sl"]}, "/features", "near: volume_sol"),
    "only the target": ({"features": ["price_close"]}, "/features", "No feature is left"),
    "no features": ({"features": []}, "/features", "at least 1 item"),
    "unknown hyper-parameter": ({"params": {"max_dept": 3}}, "/params/max_dept", "did you mean max_depth"),
    "impossible hyper-parameter": ({"params": {"max_depth": 99}}, "/params/max_depth", "an integer from 1 to 16"),
    "window too long": ({"feature_engineering_windows": [5, 201]}, "/feature_engineering_windows/1", "less than"),
    "a sample of all coins": ({"sample_by_coin": 1.0}, "/sample_by_coin", "less than 1"),
    "another way to choose": ({"alerts_per_day": 5, "alert_threshold_by": "share"}, "/alert_threshold_by", "beside"),
    "unknown type": ({"model_type": "lstm"}, "/model_type", "is one of random_forest, xgboost"),
    "text for a number": ({"cv_splits": "5"}, "/cv_splits", "valid integer"),
    "NUL in the name": ({"name": "a\x00b"}, "/name", "printable"),
    "lone surrogate in the name": ({"name": "a\ud800"}, "/name", "printable"),
    "a contradiction in the old shape": (
        {"params": {"_time_based": {"enabled": True, "future_minutes": 9}}}, "", "says future_minutes 9",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(WRONG))
async def test_a_request_that_cannot_be_meant_is_refused_with_the_field(api, case):
    changes, pointer, told = WRONG[case]

    status, problem, headers = await ask(api, **changes)

    assert status == 422
    assert headers["Content-Type"] == "application/problem+json"
    assert [error for error in problem["errors"] if error["pointer"] == pointer and told in error["detail"]], problem
    assert (await get(api, "queue"))["total"] == 0


async def test_jobs_are_listed_newest_first_and_filtered(api, connection):
    ids = [(await ask(api, name=f"m{number}"))[1]["job_id"] for number in range(5)]
    await connection.execute("UPDATE ml_jobs SET status = 'FAILED' WHERE id = ANY($1::bigint[])", ids[:2])

    page = await get(api, "queue", limit=2, offset=1)
    failed = await get(api, "queue", status="FAILED", job_type="TRAIN")

    assert [job["id"] for job in page["jobs"]] == [ids[3], ids[2]]
    assert page["total"] == 5
    assert [job["id"] for job in failed["jobs"]] == [ids[1], ids[0]]
    assert failed["total"] == 2


async def test_a_waiting_job_is_cancelled_once_and_can_be_retried(api):
    _, created, _ = await ask(api, name="mine")
    path = f"queue/{created['job_id']}"

    async with api.post(f"{path}/cancel") as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "CANCELLED")
    async with api.post(f"{path}/cancel") as answer:
        assert answer.status == 409
        assert "is CANCELLED" in (await answer.json())["detail"]
    # The name is free once the job is over, so another request may have it by now.
    assert (await ask(api, name="mine"))[1]["name"] == "mine"
    async with api.post(f"{path}/retry") as answer:
        job = await answer.json()
    assert (answer.status, job["status"], job["model_name"]) == (200, "PENDING", "mine (2)")
    async with api.post(f"{path}/retry") as answer:
        assert answer.status == 409


@pytest.mark.parametrize("path", ["queue/7", "models/7", "queue/7/cancel", "queue/7/retry", "models/7/download"])
async def test_an_unknown_id_is_not_found(api, path):
    method = "POST" if path.endswith(("cancel", "retry")) else "GET"
    async with api.request(method, path) as answer:
        assert answer.status == 404
        assert "7" in (await answer.json())["detail"]


@pytest.mark.parametrize("number", ["0", "-1", "9223372036854775808", "1e3", "x", "%00"])
async def test_an_impossible_id_is_refused(api, number):
    for path in (f"models/{number}", f"queue/{number}"):
        async with api.get(path) as answer:
            assert answer.status in {404, 422}


async def test_models_are_filtered_and_searched(api, connection):
    first = await add_model(connection, "Pump 100%", model_type="random_forest")
    second = await add_model(connection, "dump")
    gone = await add_model(connection, "pumped", is_deleted=True)

    async def ids(**params):
        return [model["id"] for model in (await get(api, "models", **params))["models"]]

    assert await ids() == [second, first]
    assert await ids(search="UMP") == [second, first]
    assert await ids(search="100%") == [first]
    assert await ids(search="%") == [first]
    assert await ids(model_type="xgboost") == [second]
    assert await ids(status="FAILED") == []
    assert await ids(is_deleted="true") == [gone]
    assert (await get(api, "models", limit=1))["total"] == 2


async def test_a_model_is_renamed_described_and_deleted(api, connection):
    model_id = await add_model(connection, "old")
    await add_model(connection, "taken")
    await ask(api, name="wanted")

    async with api.patch(f"models/{model_id}", json={"name": "new", "description": "why\nnot"}) as answer:
        changed = await answer.json()
    assert (changed["name"], changed["description"]) == ("new", "why\nnot")
    async with api.patch(f"models/{model_id}", json={"description": None}) as answer:
        assert (await answer.json())["description"] is None
    for name in ("taken", "wanted"):
        async with api.patch(f"models/{model_id}", json={"name": name}) as answer:
            assert answer.status == 409
    async with api.patch(f"models/{model_id}", json={"name": "new"}) as answer:
        assert answer.status == 200
    for wrong in ({}, {"name": None}, {"name": ""}, {"status": "READY"}):
        async with api.patch(f"models/{model_id}", json=wrong) as answer:
            assert answer.status == 422
    async with api.delete(f"models/{model_id}") as answer:
        assert answer.status == 204
    async with api.delete(f"models/{model_id}") as answer:
        assert answer.status == 404
    assert (await get(api, f"models/{model_id}"))["is_deleted"] is True
    async with api.patch(f"models/{model_id}", json={"name": "again"}) as answer:
        assert answer.status == 404


async def test_a_higher_priority_is_claimed_first_then_the_older_job(api, pool):
    ids = [
        (await ask(api, name=f"m{number}", priority=priority))[1]["job_id"] for number, priority in enumerate([5, 9, 5])
    ]

    claimed = [await jobs.claim(pool, worker="w") for _ in range(4)]

    assert [job and job.id for job in claimed] == [ids[1], ids[0], ids[2], None]
