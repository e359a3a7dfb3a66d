"""Model files: moved into place with their row or not at all, never over another one, swept when nobody owns them."""

import asyncio

import pytest

from shared.errors import Unavailable
from tests.support.training import create, finish, training_settings
from training_service.store import jobs, models
from training_service.usecases.record import fresh_id, sweep


@pytest.fixture
def folder(database, tmp_path):
    path = training_settings(database, tmp_path).model_folder("training")
    (path / ".incoming").mkdir(parents=True)
    return path


async def test_a_row_that_cannot_be_written_leaves_no_file(pool, folder):
    await create(pool)
    job = await jobs.claim(pool, worker="w")
    await pool.execute("ALTER TABLE ml_models ADD CHECK (false) NOT VALID")

    with pytest.raises(Exception, match="violates check constraint"):
        await finish(pool, job, folder)

    assert not list(folder.glob("*.zip"))
    assert (await jobs.get(pool, job.id))["status"] == "RUNNING"


async def test_a_sweep_removes_what_killed_processes_left_and_nothing_else(pool, folder):
    for name in ("one", "two"):
        await create(pool, name=name)
    lost, running = [await jobs.claim(pool, worker="w") for _ in range(2)]
    await pool.execute("UPDATE ml_jobs SET lease_expires_at = now() - interval '1 second' WHERE id = $1", lost.id)
    await jobs.release_lost(pool)
    incoming = folder / ".incoming"
    kept = [incoming / f"{running.id}-{running.token}.zip", incoming / f".{running.id}-{running.token}.zip.99.tmp"]
    kept.append(folder / "model_xgboost_7.zip")
    gone = [
        incoming / f"{lost.id}-{lost.token}.zip",
        incoming / f".{lost.id}-{lost.token}.zip.4.tmp",
        incoming / "junk",
    ]
    for path in kept + gone:
        path.write_bytes(b"")

    assert await sweep(pool, folder) == 3

    assert [path.exists() for path in kept + gone] == [True] * 3 + [False] * 3


async def test_a_sweep_removes_a_model_file_whose_writer_was_killed_before_its_commit(pool, folder, monkeypatch):
    for name in ("one", "two"):
        await create(pool, name=name)
    lost, done = [await jobs.claim(pool, worker="w") for _ in range(2)]

    async def killed(*_args, **_columns):
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(models, "insert", killed)
        with pytest.raises(asyncio.CancelledError):
            await finish(pool, lost, folder)
    assert await finish(pool, done, folder)
    left = sorted(path.name for path in folder.glob("*.zip"))
    assert len(left) == 2
    assert await sweep(pool, folder) == 0, "the job is still held"
    await pool.execute("UPDATE ml_jobs SET lease_expires_at = now() - interval '1 second' WHERE id = $1", lost.id)
    await jobs.release_lost(pool)

    assert await sweep(pool, folder) == 1

    model_id = (await jobs.get(pool, done.id))["result_model_id"]
    assert [path.name for path in folder.glob("*.zip")] == [f"model_xgboost_{model_id}.zip"]
    assert not list((folder / ".incoming").iterdir())


@pytest.mark.parametrize("kind", ["xgboost", "gradient_boosting_2", "svm2"])
async def test_a_sweep_knows_the_files_of_every_kind_that_can_be(pool, folder, kind):
    file, trace = folder / f"model_{kind}_77.zip", folder / ".incoming" / f"5-1.model_{kind}_77.zip"
    file.write_bytes(b"a model")
    trace.touch()

    assert await sweep(pool, folder) == 1

    assert not file.exists()


async def test_a_sweep_keeps_the_file_of_a_model_whose_writer_was_killed_after_its_commit(pool, folder):
    await create(pool)
    job = await jobs.claim(pool, worker="w")
    assert await finish(pool, job, folder)
    (model,) = folder.glob("*.zip")
    trace = folder / ".incoming" / f"{job.id}-{job.token}.{model.name}"
    trace.touch()

    assert await sweep(pool, folder) == 1

    assert model.exists()
    assert not trace.exists()


async def test_a_new_database_beside_the_files_of_an_old_one_gives_its_models_other_ids(pool, folder):
    for name in ("model_xgboost_1.zip", "model_random_forest_2.zip"):
        (folder / name).write_bytes(b"of the old database")

    assert await fresh_id(pool, folder) == 3


async def test_a_model_file_that_is_there_already_is_never_overwritten(pool, folder):
    await create(pool)
    job = await jobs.claim(pool, worker="w")
    theirs = folder / "model_xgboost_1.zip"
    theirs.write_bytes(b"of another database")

    with pytest.raises(Unavailable, match="another database uses the same MODEL_STORAGE_PATH"):
        await finish(pool, job, folder)

    assert theirs.read_bytes() == b"of another database"
