"""Processes of the training service that cannot do their work say so in one sentence."""

import asyncio
import sys
from pathlib import Path

import pytest

from shared.errors import Unavailable
from tests.support.serving import api_of
from tests.support.training import body, create, training_settings, until_over, working
from training_service.app import build, refuse_old_database
from training_service.store import jobs
from training_service.usecases import fitting
from training_service.usecases.fitting import Fitting, FittingDied
from training_service.usecases.task import Keyed, TrainTask
from training_service.worker import work


def test_api_on_a_database_without_tables_ends_and_names_the_command(empty_database, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        refuse_old_database(training_settings(empty_database, tmp_path))

    assert end.value.code == 1
    assert "run `pumpcast migrate`" in capsys.readouterr().err


def test_api_without_a_database_ends_and_names_the_setting(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        refuse_old_database(training_settings("postgresql://nobody@127.0.0.1:1/none", tmp_path))

    assert end.value.code == 1
    assert "check DB_DSN" in capsys.readouterr().err


def test_api_on_a_migrated_database_starts(tcp_database, tmp_path):
    refuse_old_database(training_settings(tcp_database, tmp_path))


async def test_worker_on_a_database_without_tables_ends_and_names_the_command(empty_database, tmp_path):
    with pytest.raises(Unavailable, match="run `pumpcast migrate`"):
        await work(training_settings(empty_database, tmp_path), asyncio.Event())


def task(dsn: str, path: Path) -> TrainTask:
    return TrainTask(
        job_id=1, model_id=1, name="m", request=body(), features=("volume_sol",), params={}, dsn=dsn, path=path,
        signing_key="", max_rows=1000,
    )  # fmt: skip


async def test_fitting_without_a_database_is_an_attempt_that_may_be_repeated(tmp_path, started_children):
    process = await Fitting.start(task("postgresql://nobody@127.0.0.1:1/none", tmp_path / "model.zip"))
    try:
        with pytest.raises(FittingDied, match=r"the work failed unexpectedly \(OperationalError\)"):
            await process.result(lambda _step: None, go_on)
    finally:
        await process.end()


async def test_worker_whose_model_store_is_a_file_ends_and_names_the_setting(database, tmp_path):
    (tmp_path / "models").write_text("in the way")

    with pytest.raises(Unavailable, match=r"cannot be made \(Not a directory\): check MODEL_STORAGE_PATH"):
        await work(training_settings(database, tmp_path), asyncio.Event())


async def go_on(_key: Keyed) -> None:
    """Have the work done, whatever its key."""


async def saying(text: str, *, limit: int = 1000) -> Fitting:
    """Give a fitting process that says this and ends."""
    return Fitting(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            f"print({text!r})",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=limit,
        )
    )


@pytest.mark.parametrize("text", ["rubbish", '{"kind": "step"}', '{"kind": "failed", "error": "' + "x" * 5000 + '"}'])
async def test_fitting_that_says_what_cannot_be_read_is_a_failed_attempt(text):
    process = await saying(text)

    with pytest.raises(FittingDied, match="said something that cannot be read"):
        await process.result(lambda _step: None, go_on)
    await process.end()


async def test_job_whose_fitting_cannot_be_started_fails_with_the_reason(database, pool, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "COMMAND", (str(tmp_path / "gone"),))
    monkeypatch.setattr(jobs, "PAUSES_SECONDS", (0.0, 0.0))
    job_id = await create(pool)
    async with working(training_settings(database, tmp_path)):
        job = await until_over(pool, job_id, seconds=20)

    assert (job["status"], job["attempts"]) == ("FAILED", 3)
    assert job["error_msg"] == "the fitting process cannot be started (No such file or directory): see the worker's log"


async def test_health_of_the_api_opens_no_connection_of_its_own(database, pool, tmp_path):
    await pool.execute("CREATE TABLE logins (application text)")
    await pool.execute(
        "CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO logins VALUES (current_setting('application_name')); END $$"
    )
    await pool.execute("CREATE EVENT TRIGGER login ON login EXECUTE FUNCTION note_login()")
    async with api_of(build(training_settings(database, tmp_path))) as api:
        status, report = await api.get("/health")

    assert (status, report["migrations"]) == (200, "current")
    logins = {row["application"] for row in await pool.fetch("SELECT application FROM logins")}
    assert logins == {"pumpcast training"}


async def test_fitting_ends_when_its_worker_closes_the_line(database, tmp_path, started_children):
    process = await Fitting.start(task(database, tmp_path / "model.zip"))
    process._process.stdin.close()

    with pytest.raises(FittingDied, match="exit code 3"):
        await process.result(lambda _step: None, go_on)
    await process.end()
