"""The training worker killed or frozen in the middle of a fit: no job lost, no second model."""

import asyncio
import signal
from pathlib import Path

import psutil
import pytest

from tests.support.database import insert_rows
from tests.support.training import (
    create,
    learnable_rows,
    training_settings,
    until,
    until_it_fits,
    until_over,
    worker_process,
)
from training_service.store import jobs

SLOW = {"model_type": "random_forest", "params": {"n_estimators": 250, "max_depth": 12, "max_samples": None}}
# The job's name tells where its process waits for ever.
HELD = {"name": "fit"}
HOLDING = ("-m", "tests.support.holding_worker")

pytestmark = pytest.mark.slow


def child_of(process) -> psutil.Process:
    (child,) = psutil.Process(process.pid).children()
    return child


async def let_the_lease_run_out(pool) -> None:
    await pool.execute("UPDATE ml_jobs SET lease_expires_at = now() - interval '1 second'")


def files(settings) -> list[str]:
    folder = settings.model_folder("training")
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def incoming(settings, job_id) -> Path:
    """Give the place of the first attempt's file."""
    return settings.model_folder("training") / ".incoming" / f"{job_id}-1.zip"


async def until_there(path) -> None:
    for _ in range(1200):
        if await asyncio.to_thread(path.exists):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path.name} is not there")


async def until_said(log, *words: str) -> None:
    for _ in range(600):
        text = await asyncio.to_thread(log.read_text)
        if any(word in text for word in words):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the log says neither of {words}: {text}")


@pytest.fixture
async def market(connection):
    await insert_rows(connection, learnable_rows())


async def test_kill_of_the_worker_in_the_middle_of_a_fit_costs_time_and_nothing_else(pool, database, tmp_path, market):
    settings = training_settings(database, tmp_path)
    job_id = await create(pool, **HELD)
    with worker_process(settings, command=HOLDING) as first:
        await until_it_fits(pool, job_id)
        child = child_of(first)
        first.kill()
        # The process that fits hears the end of its parent and ends too.
        await asyncio.to_thread(child.wait, 20)
    assert (await jobs.get(pool, job_id))["status"] == "RUNNING"
    incoming(settings, job_id).write_bytes(b"half a file")
    await let_the_lease_run_out(pool)

    with worker_process(settings):
        job = await until_over(pool, job_id)

    assert (job["status"], job["attempts"], job["lost_leases"]) == ("COMPLETED", 0, 1)
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1
    assert files(settings) == [f"model_xgboost_{job['result_model_id']}.zip"]


async def test_a_worker_frozen_in_the_middle_of_a_fit_wakes_up_and_writes_no_second_model(
    pool, database, tmp_path, market
):
    settings = training_settings(database, tmp_path)
    log = tmp_path / "log"
    job_id = await create(pool, **SLOW)
    with worker_process(settings, log) as frozen:
        await until_it_fits(pool, job_id)
        frozen.send_signal(signal.SIGSTOP)
        # Its fitting goes on and ends with a result that waits in a pipe.
        await until_there(incoming(settings, job_id))
        await let_the_lease_run_out(pool)
        with worker_process(settings):
            job = await until_over(pool, job_id)
            frozen.send_signal(signal.SIGCONT)
            await until_said(log, "result refused", "job lost")

    assert (job["status"], job["lost_leases"]) == ("COMPLETED", 1)
    after = await until(pool, job_id, "COMPLETED")
    assert after["result_model_id"] == job["result_model_id"]
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1
    assert files(settings) == [f"model_random_forest_{job['result_model_id']}.zip"]


FROZEN_WHILE_IT_RECORDS = """
import os, signal
from training_service import worker
from training_service.store import models

insert = models.insert

async def freeze_and_insert(*arguments, **columns):
    os.kill(os.getpid(), signal.SIGSTOP)
    await insert(*arguments, **columns)

models.insert, worker.STALLED_SECONDS = freeze_and_insert, 3.0
worker.main()
"""


async def test_a_worker_frozen_while_it_records_a_model_keeps_nobody_else_waiting(pool, database, tmp_path, market):
    settings = training_settings(database, tmp_path)
    log = tmp_path / "log"
    job_id = await create(pool)
    with worker_process(settings, log, command=("-c", FROZEN_WHILE_IT_RECORDS)) as frozen:
        # Its file is in its place, the row is not written, the names of models are locked.
        await until_there(settings.model_folder("training") / "model_xgboost_1.zip")
        async with asyncio.timeout(30):
            other_id = await create(pool, name="other", random_state=1)
        await let_the_lease_run_out(pool)
        with worker_process(settings):
            done = [await until_over(pool, one) for one in (job_id, other_id)]
            frozen.send_signal(signal.SIGCONT)
            await until_said(log, "result refused", "job lost", "job given up")

    assert [job["status"] for job in done] == ["COMPLETED"] * 2
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 2
    assert files(settings) == sorted(f"model_xgboost_{job['result_model_id']}.zip" for job in done)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_worker_told_to_stop_hands_its_job_back_and_ends_the_process_that_fits(
    pool, database, tmp_path, market, number
):
    settings = training_settings(database, tmp_path)
    job_id = await create(pool, **HELD)
    with worker_process(settings, command=HOLDING) as process:
        await until_it_fits(pool, job_id)
        child = child_of(process)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 20) == 0

    assert not child.is_running()
    job = await jobs.get(pool, job_id)
    assert (job["status"], job["attempts"], job["lost_leases"]) == ("PENDING", 0, 0)
    assert files(settings) == []
