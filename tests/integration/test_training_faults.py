"""Faults around a job: a full disk, a folder that is gone, a database that restarts; nothing half recorded."""

import asyncio
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import embedded
from shared.cluster import _Cluster
from shared.db import open_pool
from tests.support.database import insert_rows
from tests.support.embedded import settings as home_settings
from tests.support.training import (
    create,
    learnable_rows,
    training_settings,
    until_it_fits,
    until_over,
    worker_process,
    working,
)
from training_service.store import jobs, models
from training_service.usecases import lease
from training_service.usecases.jobs import cancel

# Seconds of fitting, in which something may happen.
SLOW = {"model_type": "random_forest", "params": {"n_estimators": 120, "max_depth": 12, "max_samples": None}}


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path)


@pytest.fixture
def told_at_once(monkeypatch):
    monkeypatch.setattr(lease, "WATCH_SECONDS", 0.05)


@pytest.fixture
async def market(connection):
    await insert_rows(connection, learnable_rows())


def files(settings) -> list[Path]:
    return [path for path in settings.model_folder("training").rglob("*") if path.is_file()]


async def test_a_disk_that_is_full_ends_the_job_with_what_to_do_and_leaves_nothing(pool, settings, market, monkeypatch):
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    job_id = await create(pool)
    with worker_process(settings) as worker:
        # The kernel refuses to let any file of this process and its children grow beyond it.
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        job = await until_over(pool, job_id)
        assert files(settings) == []

    assert (job["status"], job["attempts"], job["result_model_id"]) == ("FAILED", 1, None)
    assert job["error_msg"] == (
        "the model file cannot be written (File too large): check room and rights where MODEL_STORAGE_PATH points, "
        "then retry the job"
    )
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 0


async def test_a_model_folder_removed_in_the_middle_is_made_again(pool, settings, market, told_at_once):
    job_id = await create(pool, **SLOW)
    folder = settings.model_folder("training")
    async with working(settings):
        await until_it_fits(pool, job_id)
        await asyncio.to_thread(shutil.rmtree, folder)
        job = await until_over(pool, job_id)

    assert (job["status"], job["attempts"]) == ("COMPLETED", 0), job["error_msg"]
    assert files(settings) == [folder / f"model_random_forest_{job['result_model_id']}.zip"]


async def test_a_model_folder_that_cannot_be_written_in_the_end_fails_the_job_with_what_to_do(
    pool, settings, market, told_at_once
):
    job_id = await create(pool, **SLOW)
    folder = settings.model_folder("training")
    async with working(settings):
        await until_it_fits(pool, job_id)
        await asyncio.to_thread(shutil.rmtree, folder)
        folder.write_text("no folder")
        job = await until_over(pool, job_id)

    assert (job["status"], job["attempts"], job["result_model_id"]) == ("FAILED", 1, None)
    assert "check room and rights where MODEL_STORAGE_PATH points, then retry the job" in job["error_msg"]
    assert str(folder) not in job["error_msg"]
    assert folder.read_text() == "no folder"
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 0


async def test_a_model_folder_that_cannot_be_made_fails_the_job_before_it_fits(pool, settings, market, monkeypatch):
    monkeypatch.setattr(jobs, "PAUSES_SECONDS", (0.0, 0.0))
    folder = settings.model_folder("training")
    async with working(settings):
        # By then the worker is there.
        assert (await until_over(pool, await create(pool)))["status"] == "COMPLETED"
        await asyncio.to_thread(shutil.rmtree, folder)
        folder.write_text("no folder")
        job = await until_over(pool, await create(pool, random_state=1))

    assert (job["status"], job["attempts"]) == ("FAILED", 3)
    assert job["error_msg"] == (
        "the model store cannot be made (Not a directory): check MODEL_STORAGE_PATH and its rights, then retry the job"
    )
    log = [line["message"] for line in (await jobs.get_log(pool, job["id"]))["log"]]
    assert not [line for line in log if line.startswith("load")]


async def until_sessions(pool, *, waiting: bool):
    """Wait until somebody waits for the lock of the test, or until nobody else is connected who does."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND query ~ 'coin_metrics'"
    )
    async with asyncio.timeout(20):
        while (await pool.fetchval(query) > 0) != waiting:  # noqa: ASYNC110 - sessions wake nobody
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("end", ["cancelled", "stopped", "killed"])
async def test_a_job_that_ends_while_it_reads_leaves_no_statement_running(pool, settings, market, end):
    job_id = await create(pool)
    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE coin_metrics IN ACCESS EXCLUSIVE MODE")
        with worker_process(settings) as worker:
            await until_sessions(pool, waiting=True)
            if end == "cancelled":
                await cancel(pool, job_id)
            else:
                worker.send_signal(signal.SIGTERM if end == "stopped" else signal.SIGKILL)
            await until_sessions(pool, waiting=False)


@pytest.fixture
def own_database(home) -> Iterator[str]:
    """Give the address of a database whose server no other test uses."""
    with embedded.database(home_settings(home)) as dsn:
        yield dsn


async def restart(home: Path) -> None:
    cluster = _Cluster(home / "postgres")
    await asyncio.to_thread(cluster._run, "pg_ctl", "restart", "-D", "data", "-l", "log", "-w", "-m", "fast")


async def test_a_database_that_restarts_in_the_middle_costs_neither_the_job_nor_an_attempt(
    own_database, home, tmp_path, told_at_once
):
    pool = await open_pool(own_database, application="tests")
    settings = training_settings(own_database, tmp_path)
    try:
        async with pool.acquire() as connection:
            await insert_rows(connection, learnable_rows())
        job_id = await create(pool, **SLOW)
        async with working(settings):
            await until_it_fits(pool, job_id)
            await restart(home)
            job = await until_over(pool, job_id)
        assert (job["status"], job["attempts"], job["lost_leases"]) == ("COMPLETED", 0, 0), job["error_msg"]
        assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1
        model = await models.get(pool, job["result_model_id"])
    finally:
        await pool.close()
    assert files(settings) == [Path(model["model_file_path"])]


async def test_a_result_that_meets_a_database_that_is_away_is_recorded_when_it_is_back(
    own_database, home, tmp_path, monkeypatch
):
    pool = await open_pool(own_database, application="tests")
    settings = training_settings(own_database, tmp_path)
    hold, restarted = jobs.hold, asyncio.Event()

    async def restarted_before(connection, job):
        if not restarted.is_set():
            await restart(home)
            restarted.set()
        return await hold(connection, job)

    monkeypatch.setattr(jobs, "hold", restarted_before)
    try:
        async with pool.acquire() as connection:
            await insert_rows(connection, learnable_rows(coins=12))
        job_id = await create(pool)
        async with working(settings):
            await restarted.wait()
            job = await until_over(pool, job_id)
        assert (job["status"], job["attempts"], job["lost_leases"]) == ("COMPLETED", 0, 0), job["error_msg"]
        assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1
    finally:
        await pool.close()
    assert [path.name for path in files(settings)] == [f"model_xgboost_{job['result_model_id']}.zip"]
