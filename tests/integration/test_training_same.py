"""Equal work is done once: the same request on the same rows by the same code gives the first model again."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from tests.support import held_child
from tests.support.database import insert_rows, row
from tests.support.training import (
    create,
    learnable_rows,
    train,
    training_settings,
    until,
    until_over,
    until_told,
    working,
)
from training_service.store import jobs, models
from training_service.usecases import fitting
from training_service.usecases import models as model_usecases
from training_service.usecases.jobs import cancel

# Where a process waits that has said what it does, before it fits.
HELD = "fit"


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path)


@pytest.fixture
async def market(connection):
    await insert_rows(connection, learnable_rows(coins=12))


@pytest.fixture
async def first(pool, settings, market):
    """Give the first model."""
    _, model = await train(pool, settings)
    return model


async def messages(pool, job_id):
    return [line["message"] for line in (await jobs.get_log(pool, job_id))["log"]]


async def test_the_same_request_again_ends_with_the_first_model_and_says_so(pool, settings, first):
    job, model = await train(pool, settings, name="another name", description="as before", priority=9)

    assert (job["status"], job["result_model_id"]) == ("COMPLETED", first["id"])
    assert job["progress_msg"].startswith(f"same as model {first['id']}")
    assert [warning["code"] for warning in job["warnings"]] == ["same_as_model"]
    assert (await messages(pool, job["id"]))[-1] == job["progress_msg"]
    assert model["name"] == "a model"
    assert job["run_key"] is None or job["run_key"] == first["run_key"]
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1


OTHER = {
    "random_state": {"random_state": 7},
    "hyper-parameters": {"params": {"n_estimators": 21, "max_depth": 3}},
    "features": {"features": ["buy_volume_sol", "sell_volume_sol"]},
    "target": {"min_percent_change": 6.0},
    "costs": {"fee_pct": 2.0},
    "force": {"force": True},
}


@pytest.mark.parametrize("case", list(OTHER))
async def test_another_request_trains(pool, settings, first, case):
    job, model = await train(pool, settings, **OTHER[case])

    assert (job["status"], model["id"] == first["id"]) == ("COMPLETED", False), job["error_msg"]
    assert model["name"] == "a model (2)"
    assert (model["run_key"] == first["run_key"]) == (case == "force")


async def test_other_rows_train(pool, settings, connection, first):
    await insert_rows(connection, [row("another", 60 * minute) for minute in range(50)])

    _, model = await train(pool, settings)

    assert model["id"] != first["id"]


async def test_rows_outside_of_the_window_change_nothing(pool, settings, connection, first):
    await insert_rows(connection, [row("another", -3600 * hour) for hour in range(30, 50)])

    _, model = await train(pool, settings)

    assert model["id"] == first["id"]


async def test_a_deleted_first_model_is_made_again(pool, settings, first):
    await model_usecases.delete_model(pool, first["id"])

    _, model = await train(pool, settings)

    assert model["id"] != first["id"]
    assert model["run_key"] == first["run_key"]


async def test_a_first_model_without_its_file_is_made_again_once(pool, settings, first):
    await asyncio.to_thread(Path(first["model_file_path"]).unlink)

    _, second = await train(pool, settings)
    _, third = await train(pool, settings)

    assert second["id"] != first["id"]
    assert third["id"] == second["id"]


async def test_two_equal_jobs_at_once_make_one_model(pool, settings, market):
    ids = [await create(pool), await create(pool)]
    async with working(settings), working(settings):
        done = [await until_over(pool, job_id) for job_id in ids]

    assert [job["status"] for job in done] == ["COMPLETED"] * 2
    assert len({job["result_model_id"] for job in done}) == 1
    assert sorted(job["progress_msg"].partition(" ")[0] for job in done) == ["model", "same"]
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1


@pytest.fixture
async def holder(pool, market, monkeypatch, forked_children):
    """Have the first job wait for ever in the middle of its work."""
    monkeypatch.setattr(fitting, "COMMAND", forked_children.of(held_child.__name__))
    return await create(pool, name=HELD)


async def wait_beside(pool, holder):
    """Give a job that waits for the holder, which is held."""
    await until_told(pool, holder, HELD)
    second = await create(pool, name="waits")
    await until_told(pool, second, f"waits for job {holder}, which does equal work")
    return second


def processes_that_fit():
    return [one for one in psutil.Process().children() if held_child.__name__ in one.cmdline()]


async def test_a_job_that_waits_for_its_equal_takes_neither_a_hand_nor_a_process(pool, settings, holder):
    # Two hands: one has the holder.
    async with working(settings):
        second = await wait_beside(pool, holder)
        waiting = await until(pool, second, "PENDING")
        third = await until_over(pool, await create(pool, name="other work", random_state=1))
        still = await jobs.get(pool, second)
        async with asyncio.timeout(10):
            while len(processes_that_fit()) > 1:  # noqa: ASYNC110 - processes wake nobody
                await asyncio.sleep(0.05)
        await cancel(pool, holder)
        await cancel(pool, second)

    assert third["status"] == "COMPLETED"
    assert waiting["progress_msg"] == f"waits for job {holder}, which does equal work"
    assert (waiting["waits_for"], waiting["worker_id"], waiting["run_key"]) == (holder, None, None)
    assert (waiting["attempts"], waiting["lost_leases"]) == (0, 0)
    assert still["lease_token"] == waiting["lease_token"], "it is not taken up in vain again and again"


async def test_a_worker_that_stops_wakes_the_others_for_its_job_and_for_those_that_wait_for_it(
    pool, settings, holder, monkeypatch
):
    # Nobody looks at the queue without being told.
    settings = settings.model_copy(update={"job_poll_interval": 3600, "max_concurrent_jobs": 1})
    async with AsyncExitStack() as first:
        await first.enter_async_context(working(settings))
        await until_told(pool, holder, HELD)
        async with working(settings):
            second = await wait_beside(pool, holder)
            monkeypatch.undo()
            await first.aclose()
            done = [await until_over(pool, job_id) for job_id in (holder, second)]

    assert [job["status"] for job in done] == ["COMPLETED"] * 2
    assert len({job["result_model_id"] for job in done}) == 1


async def test_a_job_whose_equal_is_cancelled_while_it_waits_trains_itself(pool, settings, holder):
    async with working(settings):
        second = await wait_beside(pool, holder)
        await cancel(pool, holder)
        job = await until_over(pool, second)

    assert (job["status"], job["progress_msg"]) == ("COMPLETED", f"model {job['result_model_id']} is ready")


async def test_a_job_whose_equal_fails_while_it_waits_trains_itself_and_the_other_ends_as_the_same(
    pool, settings, holder, monkeypatch
):
    async with working(settings):
        second = await wait_beside(pool, holder)
        monkeypatch.undo()
        (token,) = await pool.fetchrow("SELECT lease_token FROM ml_jobs WHERE id = $1", holder)
        # As when its process dies: it is taken up again at once.
        await pool.execute(
            "UPDATE ml_jobs SET status = 'PENDING', lease_token = $2, attempts = 1 WHERE id = $1", holder, token + 1
        )
        done = [await until_over(pool, job_id) for job_id in (second, holder)]

    assert [job["status"] for job in done] == ["COMPLETED"] * 2
    assert len({job["result_model_id"] for job in done}) == 1
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1


async def test_a_job_that_is_forced_does_not_wait_for_its_equal(pool, settings, holder):
    async with working(settings):
        await until_told(pool, holder, HELD)
        job = await until_over(pool, await create(pool, name="forced", force=True))
        assert job["progress_msg"] == f"model {job['result_model_id']} is ready"
        await cancel(pool, holder)
        await until(pool, holder, "CANCELLED")


async def test_a_waiting_job_whose_equal_has_lost_its_worker_goes_on(pool, database, tmp_path, market, monkeypatch):
    # The only worker there is has its one hand full with a job that waits for another's.
    frozen_id = await create(pool, name="frozen")
    frozen = await jobs.claim(pool, worker="frozen")
    job_id = await create(pool, name="waits")
    await pool.execute("UPDATE ml_jobs SET priority = 0 WHERE id = $1", frozen_id)
    settings = training_settings(database, tmp_path, max_concurrent_jobs=1)
    seen = []
    take = jobs.take_run_key

    async def taken_by_the_frozen_one(connection, job, run_key):
        if not seen:
            seen.append(run_key)
            assert await take(connection, frozen, run_key) is None
        return await take(connection, job, run_key)

    monkeypatch.setattr(jobs, "take_run_key", taken_by_the_frozen_one)
    async with working(settings):
        await until_told(pool, job_id, f"waits for job {frozen_id}, which does equal work")
        await pool.execute("UPDATE ml_jobs SET lease_expires_at = now() WHERE id = $1", frozen_id)
        done = [await until_over(pool, one) for one in (job_id, frozen_id)]

    assert [job["status"] for job in done] == ["COMPLETED"] * 2
    assert len({job["result_model_id"] for job in done}) == 1
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1


async def test_a_model_that_comes_between_two_looks_is_found(pool, settings, first, monkeypatch):
    # The first look comes too early, the job that made the model is over at the second.
    found = models.by_run_key
    early = []

    async def too_early(executor, run_key):
        if not early:
            early.append(run_key)
            return []
        return await found(executor, run_key)

    monkeypatch.setattr(models, "by_run_key", too_early)
    _, model = await train(pool, settings)

    assert early == [first["run_key"]]
    assert model["id"] == first["id"]
