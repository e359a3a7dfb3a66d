"""What the training API tells of features, phases, kinds of models, data, and of itself."""

from collections.abc import AsyncIterator

import pytest

from shared.errors import Invalid
from shared.features import catalogue
from tests.support.database import insert_rows, row
from tests.support.serving import Api, api_of
from tests.support.training import create, training_settings
from training_service.app import build
from training_service.ml.model_types import MODEL_TYPES
from training_service.store import jobs


@pytest.fixture
async def api(database, tmp_path) -> AsyncIterator[Api]:
    async with api_of(build(training_settings(database, tmp_path))) as client:
        yield client


async def get(api, path):
    status, answer = await api.get(f"/api/{path}")
    assert status == 200, answer
    return answer


async def test_the_catalogue_tells_what_there_is(api, connection):
    await insert_rows(connection, [row("A"), row("A", 60), row("B", 120)])

    features = (await get(api, "features"))["features"]
    phases = (await get(api, "phases"))["phases"]
    types = (await get(api, "model-types"))["model_types"]
    data = await get(api, "data-availability")

    assert [feature["name"] for feature in features] == [feature.name for feature in catalogue()]
    assert features[0]["unit"] == "SOL per 1e9 tokens"
    assert {name: phases[3][name] for name in ("id", "interval_seconds")} == {"id": 99, "interval_seconds": 0}
    assert {kind["name"]: kind["default_params"] for kind in types} == {
        name: kind.defaults for name, kind in MODEL_TYPES.items()
    }
    assert data == {
        "min_timestamp": "2026-03-01T12:00:00Z",
        "max_timestamp": "2026-03-01T12:02:00Z",
        "rows": 3,
        "rows_counted": True,
        "coins": 2,
    }


async def test_data_availability_when_times_lie_outside_all_calendars_then_the_believed_ones_are_told(api, connection):
    await insert_rows(connection, [row("A"), row("B", 60), row("C", 120)])
    await connection.execute(
        "INSERT INTO coin_metrics (mint, timestamp) VALUES ('A', '-infinity'), ('A', '20000-01-01Z'), ('A', 'infinity')"
    )

    data = await get(api, "data-availability")

    assert data["min_timestamp"] == "0001-02-01T00:00:00Z"
    assert data["max_timestamp"] == "2026-03-01T12:02:00Z"


async def test_data_availability_of_a_locked_table_says_so_soon(api, connection):
    async with connection.transaction():
        await connection.execute("LOCK TABLE coin_metrics IN ACCESS EXCLUSIVE MODE")
        status, problem = await api.get("/api/data-availability")

    assert (status, problem["code"]) == (503, "unavailable")
    assert problem["detail"].startswith("coin_metrics is locked by another session")


async def test_the_catalogue_without_the_trackers_tables_is_empty(api, connection):
    await connection.execute("DROP TABLE coin_metrics, ref_coin_phases")

    assert (await get(api, "phases"))["total"] == 0
    assert await get(api, "data-availability") == {
        "min_timestamp": None, "max_timestamp": None, "rows": 0, "rows_counted": True, "coins": 0,
    }  # fmt: skip


async def test_defaults_that_the_operator_set_are_used_and_shown(api, pool):
    await pool.execute("""UPDATE ref_model_types SET default_params = '{"max_depth": 9}' WHERE name = 'xgboost'""")

    job_id = await create(pool, params={})

    assert (await jobs.get(pool, job_id))["train_params"]["max_depth"] == 9
    types = {kind["name"]: kind for kind in (await get(api, "model-types"))["model_types"]}
    assert types["xgboost"]["default_params"]["max_depth"] == 9


async def test_defaults_of_the_operator_that_are_impossible_are_refused_by_name(pool):
    await pool.execute("""UPDATE ref_model_types SET default_params = '{"max_depth": 0}' WHERE name = 'xgboost'""")

    with pytest.raises(Invalid, match="max_depth of xgboost must be an integer from 1 to 16"):
        await create(pool, params={})


async def test_metrics_count_jobs_and_models(api, pool):
    await create(pool)
    await pool.execute(
        "INSERT INTO ml_models (name, model_type, target_variable, train_start, train_end, features)"
        " VALUES ('m', 'xgboost', 'price_close', now(), now(), '[]')"
    )

    async with api.session.get("/metrics") as answer:
        text = await answer.text()

    assert 'ml_jobs_total{job_type="TRAIN",status="PENDING"} 1.0' in text
    assert "ml_models_total 1.0" in text


async def test_health_counts_what_waits(api, pool):
    await create(pool)

    report = await get(api, "health")

    assert report["status"] == "healthy"
    assert report["migrations"] == "current"
    assert report["details"] == {"jobs_waiting": 1, "jobs_running": 0}
