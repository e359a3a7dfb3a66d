"""Jobs cancelled at each of their steps: over at once, their processes gone, nothing left of them."""

import asyncio
from contextlib import suppress

import psutil
import pytest

from shared.contracts.model_request import TuneModel
from tests.support import held_child
from tests.support.database import insert_rows
from tests.support.training import body, learnable_rows, training_settings, until, until_over, working
from training_service.store import jobs, models
from training_service.usecases import fitting
from training_service.usecases.jobs import cancel, enqueue, retry

ALL_STEPS = {
    "use_timeseries_split": True, "cv_splits": 2, "use_smote": True, "refit": True, "trials": 2,
    "params": {"n_estimators": 5}, "search_space": {"max_depth": {"low": 2, "high": 6}},
}  # fmt: skip


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path, max_concurrent_jobs=30)


@pytest.fixture
async def market(connection):
    await insert_rows(connection, learnable_rows(coins=12))


@pytest.fixture
def held(monkeypatch, forked_children):
    monkeypatch.setattr(fitting, "COMMAND", forked_children.of(held_child.__name__))


async def tune(pool, name, **changes):
    request = TuneModel.model_validate(body(name=name, **{**ALL_STEPS, **changes}))
    return (await enqueue(pool, request=request, request_id="test")).job_id


def children():
    found = []
    for one in psutil.Process().children():
        # One that has ended by now is gone, or has no command any more.
        with suppress(psutil.Error):
            found += [one] if held_child.__name__ in one.cmdline() else []
    return found


def steps_of(log):
    """Give the steps that a log tells of, each once: what stands before the colon."""
    told = [line["message"].partition(":")[0] for line in log]
    first, last = told.index("load"), len(told) - 1
    return list(dict.fromkeys(told[first:last]))


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def until_gone(folder, *, but):
    while children() or files_of(folder) != but:  # noqa: ASYNC110 - processes and files wake nobody
        await asyncio.sleep(0.05)


async def until_at(pool, folder, job_id, place):
    for _ in range(3000):
        job = await jobs.get(pool, job_id)
        assert job["status"] in {"PENDING", "RUNNING"}, (place, job["error_msg"])
        is_half_written = place == held_child.WRITING and any(folder.glob(f".incoming/.{job_id}-*.tmp"))
        if is_half_written or (job["progress_msg"] or "").startswith(place):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"job {job_id} never gets to {place!r}: it is at {job['progress_msg']!r}")


async def test_a_job_cancelled_at_any_step_is_over_at_once_and_leaves_nothing(pool, settings, market, held):
    folder = settings.model_folder("training")
    async with working(settings):
        whole = await until_over(pool, await tune(pool, "whole"))
        assert whole["status"] == "COMPLETED", whole["error_msg"]
        files = files_of(folder)
        places = [*steps_of(whole["log"]), held_child.WRITING]
        assert {"load", "fit", "evaluate", "write artifact"} < set(places)
        asked = {place: await tune(pool, place, random_state=number) for number, place in enumerate(places)}
        for place, job_id in asked.items():
            await until_at(pool, folder, job_id, place)
        assert len(children()) == len(places)

        for job_id in asked.values():
            await cancel(pool, job_id)
        async with asyncio.timeout(5):
            await until_gone(folder, but=files)

    for place, job_id in asked.items():
        job = await jobs.get(pool, job_id)
        assert (job["status"], job["result_model_id"]) == ("CANCELLED", None), place
    assert await pool.fetchval("SELECT count(*) FROM ml_models") == 1
    assert files_of(folder) == files


async def broken_off(pool, settings, monkeypatch):
    """Give a search of three trials, done, cancelled and waiting again."""
    job_id = await tune(pool, "cross-validate", trials=3)
    async with working(settings):
        await until_at(pool, settings.model_folder("training"), job_id, "cross-validate")
        await cancel(pool, job_id)
        cancelled = await until(pool, job_id, "CANCELLED")
    monkeypatch.undo()
    await retry(pool, job_id)
    return cancelled


async def test_a_retried_search_on_other_rows_begins_anew_and_says_so(
    pool, settings, market, held, monkeypatch, connection
):
    cancelled = await broken_off(pool, settings, monkeypatch)
    # In the price of the first coins, found wrong and corrected meanwhile.
    await connection.execute("UPDATE coin_metrics SET buy_volume_sol = buy_volume_sol * 3 WHERE mint < 'coin004'")
    async with working(settings):
        job = await until_over(pool, cancelled["id"])

    assert job["status"] == "COMPLETED", job["error_msg"]
    before, after = cancelled["interim"], job["interim"]
    assert before["run_key"] != after["run_key"]
    assert [trial["number"] for trial in after["trials"]] == [0, 1, 2]
    assert before["trials"][0]["params"] == after["trials"][0]["params"]
    assert before["trials"][0]["value"] != after["trials"][0]["value"]
    said = [line["message"] for line in job["log"]]
    assert "the 3 trials done before are of other rows or code: the search begins anew" in said
    model = await models.get(pool, job["result_model_id"])
    assert model["run_key"] == after["run_key"]


async def test_a_retried_search_goes_on_behind_its_finished_trials(pool, settings, market, held, monkeypatch):
    cancelled = await broken_off(pool, settings, monkeypatch)
    async with working(settings):
        job = await until_over(pool, cancelled["id"])

    assert job["status"] == "COMPLETED", job["error_msg"]
    assert [trial["number"] for trial in cancelled["interim"]["trials"]] == [0, 1, 2]
    assert job["interim"]["trials"] == cancelled["interim"]["trials"]
    assert len(job["interim"]["folds"]) == 2
