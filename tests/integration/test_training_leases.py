"""Who may write a result: leases, lost workers, dead children, cancellations, left-over files."""

import asyncio
from datetime import timedelta

import psutil
import pytest

from shared.contracts.model_request import TuneModel
from tests.support import held_child
from tests.support.database import insert_rows
from tests.support.training import body, create, finish, learnable_rows, training_settings, until, until_over, working
from training_service.store import jobs
from training_service.usecases import fitting, lease
from training_service.usecases.jobs import cancel, enqueue, retry
from training_service.usecases.lease import Lease


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path)


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(jobs, "PAUSES_SECONDS", (0.0, 0.0))


@pytest.fixture
async def market(connection):
    await insert_rows(connection, learnable_rows())


def child_of_this_process():
    """Give the process that fits."""
    for process in psutil.Process().children():
        if "training_service.child" in process.cmdline():
            return process
    return None


async def until_fitting(pool, job_id):
    await until(pool, job_id, "RUNNING")
    for _ in range(1000):
        if (child := child_of_this_process()) is not None:
            return child
        await asyncio.sleep(0.01)
    raise AssertionError("no process fits")


async def until_attempted(pool, job_id, attempts):
    for _ in range(1000):
        if (await jobs.get(pool, job_id))["attempts"] == attempts:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"job {job_id} does not get to {attempts} attempts")


async def test_a_child_that_dies_is_started_again_and_the_attempt_counts(pool, settings, market, no_pauses):
    job_id = await create(pool)
    async with working(settings):
        (await until_fitting(pool, job_id)).kill()
        job = await until_over(pool, job_id)

    assert (job["status"], job["attempts"]) == ("COMPLETED", 1)


async def test_a_child_that_dies_three_times_ends_the_job(pool, settings, market, no_pauses, started_children):
    job_id = await create(pool)
    async with working(settings):
        for attempt in range(3):
            child = await until_fitting(pool, job_id)
            child.kill()
            await until_attempted(pool, job_id, attempt + 1)
        job = await until_over(pool, job_id)

    assert (job["status"], job["attempts"]) == ("FAILED", 3)
    assert job["error_msg"].startswith("the fitting process was killed (signal 9), mostly for want of memory: ")


async def test_a_cancelled_job_stops_its_child_within_seconds(pool, settings, market, started_children):
    job_id = await create(pool, params={"n_estimators": 3000})
    async with working(settings):
        child = await until_fitting(pool, job_id)
        await cancel(pool, job_id)
        await asyncio.wait_for(asyncio.to_thread(child.wait), 5)
        job = await until_over(pool, job_id)

    assert job["status"] == "CANCELLED"
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 0


async def test_a_stopping_worker_hands_its_job_back_without_counting_an_attempt(pool, settings, market):
    job_id = await create(pool)
    async with working(settings):
        child = await until_fitting(pool, job_id)
    handed_back = await jobs.get(pool, job_id)
    assert (handed_back["status"], handed_back["attempts"], handed_back["lost_leases"]) == ("PENDING", 0, 0)
    assert not child.is_running()

    async with working(settings):
        assert (await until_over(pool, job_id))["status"] == "COMPLETED"


async def test_two_workers_share_the_queue_and_make_each_model_once(pool, settings, market):
    ids = [await create(pool, name=f"m{number}", random_state=number) for number in range(4)]
    async with working(settings), working(settings):
        done = [await until_over(pool, job_id) for job_id in ids]

    assert [job["status"] for job in done] == ["COMPLETED"] * 4
    assert len({job["result_model_id"] for job in done}) == 4
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 4


@pytest.fixture
def folder(settings):
    path = settings.model_folder("training")
    (path / ".incoming").mkdir(parents=True)
    return path


async def test_a_failed_attempt_is_followed_by_a_pause_that_grows(pool):
    job_id = await create(pool)
    for attempt, seconds in ((1, 5), (2, 30)):
        job = await jobs.claim(pool, worker="w")
        assert await jobs.fail(pool, job, error="killed", is_final=False) == "PENDING"
        waiting = await jobs.get(pool, job_id)
        pause = waiting["not_before"] - await pool.fetchval("SELECT now()")
        assert timedelta(seconds=seconds - 4) < pause <= timedelta(seconds=seconds)
        assert (waiting["attempts"], waiting["progress_msg"]) == (attempt, f"waits {seconds} s for another attempt")
        other_id = await create(pool, name="another", priority=0)
        other = await jobs.claim(pool, worker="w")
        assert other.id == other_id, "nobody waits behind it"
        assert await jobs.claim(pool, worker="w") is None
        await pool.execute("UPDATE ml_jobs SET not_before = now() WHERE id = $1", job_id)

    last = await jobs.claim(pool, worker="w")
    assert await jobs.fail(pool, last, error="killed", is_final=False) == "FAILED"
    assert (await jobs.get(pool, job_id))["not_before"] is None


async def test_a_retry_of_a_job_waits_for_nothing(pool):
    job_id = await create(pool)
    await jobs.fail(pool, await jobs.claim(pool, worker="w"), error="killed", is_final=False)
    await cancel(pool, job_id)
    await retry(pool, job_id)

    assert (await jobs.claim(pool, worker="w")).id == job_id


async def test_a_stopping_worker_tells_the_steps_and_trials_that_it_had_not_told_yet(
    pool, settings, market, monkeypatch, forked_children
):
    fits = asyncio.Event()
    note = Lease.note

    def note_and_see(lease, step):
        note(lease, step)
        if step.message.startswith("cross-validate"):
            fits.set()

    monkeypatch.setattr(fitting, "COMMAND", forked_children.of(held_child.__name__))
    monkeypatch.setattr(Lease, "note", note_and_see)
    # Nothing is told while the work goes on.
    monkeypatch.setattr(lease, "WATCH_SECONDS", 1000)
    request = TuneModel.model_validate(body(name="cross-validate", trials=2, use_timeseries_split=True, cv_splits=2))
    job_id = (await enqueue(pool, request=request, request_id="test")).job_id
    async with working(settings):
        await asyncio.wait_for(fits.wait(), 60)

    job = await jobs.get(pool, job_id)
    assert (job["status"], job["attempts"], job["run_key"]) == ("PENDING", 0, None)
    assert [trial["number"] for trial in job["interim"]["trials"]] == [0, 1]
    said = [line["message"].partition(":")[0] for line in job["log"]]
    assert said[2:4] == ["load", "label"]
    assert said[-2:] == ["cross-validate", "handed back by a stopping worker"]


async def test_a_frozen_worker_that_wakes_up_late_writes_nothing(pool, settings, folder):
    job_id = await create(pool)
    frozen = await jobs.claim(pool, worker="frozen")
    await pool.execute("UPDATE ml_jobs SET lease_expires_at = now() - interval '1 second'")
    await jobs.release_lost(pool)
    other = await jobs.claim(pool, worker="other")

    assert (frozen.id, other.id) == (job_id, job_id)
    assert not await jobs.renew(pool, frozen, progress=0.5, message="still here")
    assert not await finish(pool, frozen, folder)
    assert await jobs.fail(pool, frozen, error="late", is_final=True) is None
    assert not await jobs.put_back(pool, frozen, reason="late")
    assert await finish(pool, other, folder)
    assert not await finish(pool, frozen, folder)
    job = await jobs.get(pool, job_id)
    assert (job["status"], job["lost_leases"], job["attempts"], job["error_msg"]) == ("COMPLETED", 1, 0, None)
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1
    assert [path.name for path in folder.glob("*.zip")] == [f"model_xgboost_{job['result_model_id']}.zip"]


async def test_a_result_that_comes_after_a_cancellation_is_refused(pool, folder):
    job_id = await create(pool)
    job = await jobs.claim(pool, worker="w")
    await cancel(pool, job_id)

    assert not await finish(pool, job, folder)
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 0


async def test_a_job_whose_workers_are_lost_ten_times_fails(pool):
    job_id = await create(pool)
    for _ in range(10):
        assert await jobs.claim(pool, worker="w") is not None
        await pool.execute("UPDATE ml_jobs SET lease_expires_at = now() - interval '1 second'")
        await jobs.release_lost(pool)

    job = await jobs.get(pool, job_id)
    assert (job["status"], job["lost_leases"], job["attempts"]) == ("FAILED", 10, 0)
    assert job["error_msg"].startswith("the worker was lost 10 times while this job ran: it may want more memory")


async def test_a_name_taken_while_the_job_ran_gives_the_model_the_next_one(pool, folder):
    await create(pool, name="wanted")
    job = await jobs.claim(pool, worker="w")
    await pool.execute(
        "INSERT INTO ml_models (name, model_type, target_variable, train_start, train_end, features)"
        " VALUES ('wanted', 'xgboost', 'price_close', now(), now(), '[]')"
    )

    assert await finish(pool, job, folder)
    assert await pool.fetchval("SELECT name FROM ml_models WHERE job_id = $1", job.id) == "wanted (2)"


async def test_a_model_that_the_database_refuses_ends_the_job_after_three_attempts(pool, settings, market, no_pauses):
    await pool.execute("ALTER TABLE ml_models ADD CHECK (false) NOT VALID")
    job_id = await create(pool)
    async with working(settings):
        job = await until_over(pool, job_id)

    assert (job["status"], job["attempts"]) == ("FAILED", 3)
    assert job["error_msg"] == "the result could not be recorded: CheckViolationError"
    assert not list(settings.model_folder("training").rglob("*.zip"))


async def test_a_lease_is_extended_only_while_it_is_held(pool):
    job_id = await create(pool)
    job = await jobs.claim(pool, worker="w")
    await pool.execute("UPDATE ml_jobs SET lease_expires_at = now()")

    assert await jobs.renew(pool, job, progress=0.4, message="fit")

    row = await jobs.get(pool, job_id)
    assert (row["progress"], row["progress_msg"]) == (0.4, "fit")
    assert (row["lease_expires_at"] - await pool.fetchval("SELECT now()")) > timedelta(seconds=40)


async def test_a_worker_whose_database_forgets_it_for_a_moment_finishes_all_the_same(pool, settings, market):
    job_id = await create(pool)
    async with working(settings):
        await until_fitting(pool, job_id)
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'training-worker%'"
        )
        job = await until_over(pool, job_id)

    assert job["status"] == "COMPLETED"
