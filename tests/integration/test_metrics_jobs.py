"""Totals of jobs and models for Prometheus: equal to the table, and they never fall although jobs are run again."""

from collections.abc import AsyncIterator

import pytest

from shared.db import Pool, transaction
from tests.integration.test_metrics_books import assert_none_fell, totals
from tests.support.expositions import Told
from tests.support.serving import Api, api_of
from tests.support.training import create, training_settings
from training_service.app import build
from training_service.store import jobs
from training_service.store.job_rows import ClaimedJob, Ending

REQUESTS = "ml_http_requests_total"
DAY = "UPDATE ml_jobs SET created_at = now() - interval '1 day' WHERE id = $1"


@pytest.fixture
async def api(database, tmp_path) -> AsyncIterator[Api]:
    async with api_of(build(training_settings(database, tmp_path))) as client:
        yield client


async def claim(pool: Pool) -> ClaimedJob:
    job = await jobs.claim(pool, worker="tests")
    assert job is not None
    return job


async def run_again(pool: Pool, job_id: int) -> None:
    async with transaction(pool) as connection:
        assert await jobs.retry(connection, job_id, name="again") is not None


def of_train(told: Told) -> dict[str, float]:
    return {
        status: told.value("ml_jobs_total", job_type="TRAIN", status=status)
        for status in ("PENDING", "COMPLETED", "FAILED", "CANCELLED")
    }


async def test_jobs_when_they_fail_and_are_run_again_then_no_total_falls(api: Api, pool: Pool):
    seen = [await totals(api)]

    async def look() -> Told:
        seen.append(await totals(api))
        assert_none_fell(seen[-2], seen[-1])
        return seen[-1]

    first, second = await create(pool), await create(pool, name="another")
    await pool.execute(DAY, first)
    assert (await look()).value("ml_jobs_oldest_seconds") > 86_000
    job = await claim(pool)
    assert job.waited_seconds is not None
    assert job.waited_seconds > 86_000
    assert await jobs.fail(pool, job, error="no rows", is_final=True) == "FAILED"
    async with transaction(pool) as connection:
        await jobs.cancel(connection, second)
    told = await look()
    assert of_train(told) == {"PENDING": 2, "COMPLETED": 0, "FAILED": 1, "CANCELLED": 1}

    await run_again(pool, first)
    await run_again(pool, second)
    told = await look()
    assert of_train(told) == {"PENDING": 4, "COMPLETED": 0, "FAILED": 1, "CANCELLED": 1}
    assert told.value("ml_jobs_open", job_type="TRAIN", status="PENDING") == 2
    # It waits since it was run again, not since it was first asked for.
    assert told.value("ml_jobs_oldest_seconds") < 60
    job = await claim(pool)
    assert job.waited_seconds is not None
    assert job.waited_seconds < 60
    assert await jobs.put_back(pool, job, reason="the worker stops")
    job = await claim(pool)
    assert job.waited_seconds is None
    async with transaction(pool) as connection:
        assert await jobs.finish(connection, job, Ending(message="done", warnings=[]))
    await claim(pool)
    await pool.execute("UPDATE ml_jobs SET lease_expires_at = now() - interval '1 second' WHERE id = $1", second)
    told = await look()
    assert of_train(told) == {"PENDING": 4, "COMPLETED": 1, "FAILED": 1, "CANCELLED": 1}
    assert (told.value("ml_jobs_overdue"), told.value("ml_jobs_oldest_seconds")) == (1, 0)
    rows = await pool.fetch("SELECT status, count(*) FROM ml_jobs GROUP BY status")
    assert {row["status"]: row["count"] for row in rows} == {"COMPLETED": 1, "RUNNING": 1}


async def test_models_when_one_is_deleted_then_it_still_counts_as_trained(api: Api, pool: Pool):
    for name in ("a", "b"):
        await pool.execute(
            "INSERT INTO ml_models (name, model_type, target_variable, train_start, train_end, features)"
            " VALUES ($1, 'xgboost', 'price_close', now(), now(), '[]')", name,
        )  # fmt: skip
    await pool.execute("UPDATE ml_models SET is_deleted = true WHERE name = 'a'")
    told = await totals(api)
    assert (told.value("ml_models_total"), told.value("ml_models_available")) == (2, 1)


async def test_requests_when_counted_then_no_label_holds_what_a_client_wrote(api: Api):
    for method, path in (("GET", "queue/7"), ("GET", "queue/8"), ("GET", "nowhere"), ("MOVE", "queue/7")):
        async with api.session.request(method, f"/api/{path}"):
            pass
    told = await totals(api)
    counted = {tuple(sorted(labels)): value for (name, labels), value in told.values.items() if name == REQUESTS}
    assert counted == {
        (("method", "GET"), ("route", "/queue/{job_id:int}"), ("status", "4xx")): 2,
        (("method", "GET"), ("route", "none"), ("status", "4xx")): 1,
        (("method", "other"), ("route", "/queue/{job_id:int}"), ("status", "4xx")): 1,
    }
