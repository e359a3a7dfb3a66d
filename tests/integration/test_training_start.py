"""Processes of the training service that cannot do their work say so in one sentence."""

import asyncio
from pathlib import Path

import pytest

from shared.errors import Unavailable
from tests.support.training import body, training_settings
from training_service.app import refuse_old_database
from training_service.usecases.fitting import Fitting, FittingDied
from training_service.usecases.task import TrainTask
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


async def test_fitting_without_a_database_is_an_attempt_that_may_be_repeated(tmp_path):
    fitting = await Fitting.start(task("postgresql://nobody@127.0.0.1:1/none", tmp_path / "model.zip"))
    try:
        with pytest.raises(FittingDied, match=r"the fitting failed unexpectedly \(OperationalError\)"):
            await fitting.result(lambda _step: None)
    finally:
        await fitting.end()


async def test_fitting_ends_when_its_worker_closes_the_line(database, tmp_path):
    fitting = await Fitting.start(task(database, tmp_path / "model.zip"))
    fitting._process.stdin.close()

    with pytest.raises(FittingDied, match="exit code 3"):
        await fitting.result(lambda _step: None)
    await fitting.end()
