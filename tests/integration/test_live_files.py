"""The live rule while model files vanish, are cut short or exchanged: at the start of a worker and under its feet."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from prediction_service.usecases.models import delete
from shared.db import Connection, Pool
from tests.support.books import check_books
from tests.support.database import insert_rows, row
from tests.support.live import running_worker, settings, until, until_live
from tests.support.models import activate_model, make_model
from tests.support.training_stub import TrainingStub

TROUBLE = "SELECT DISTINCT status ->> 'trouble' FROM worker_positions WHERE name LIKE 'live-%'"


def vanish(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def exchange(path: Path) -> None:
    """Put a good file of another model there."""
    make_model(path, model_id=77, column=2, scale=3.0)


DAMAGES: tuple[Callable[[Path], None], ...] = (vanish, cut_short, empty, flip, exchange)


def file_of(home: Path, model_id: int) -> Path:
    return home / "models" / "prediction" / f"{model_id}.zip"


async def with_models(pool: Pool, training: TrainingStub, home: Path) -> dict[int, str]:
    """Activate as many models as there are damages; give the digests of their files."""
    for number in range(len(DAMAGES)):
        training.add(home, model_id=1 + number)
        await activate_model(pool, home, model_id=1 + number)
    return {1 + number: digest(file_of(home, 1 + number)) for number in range(len(DAMAGES))}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_rows_when_files_are_lost_before_the_start_then_they_are_fetched_again_and_all_is_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, training: TrainingStub
):
    digests = await with_models(pool, training, tmp_path)
    for model_id, damage in enumerate(DAMAGES, 1):
        damage(file_of(tmp_path, model_id))
    await insert_rows(connection, [row(f"coin {number % 5}", number) for number in range(40)])
    configured = settings(database, tmp_path, training_service_api_url=training.url)
    async with running_worker(configured):
        await until_live(connection)
        await insert_rows(connection, [row(f"coin {number % 5}", 40 + number) for number in range(40)])
        assert (await check_books(connection)).owed == 80 * len(DAMAGES)
    assert {model_id: digest(file_of(tmp_path, model_id)) for model_id in digests} == digests
    assert len(list(file_of(tmp_path, 1).parent.iterdir())) == len(digests)


async def test_rows_when_files_are_lost_while_models_answer_then_nothing_is_noticed_until_the_next_start(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, training: TrainingStub
):
    digests = await with_models(pool, training, tmp_path)
    # Nobody could give a file again.
    alone = settings(database, tmp_path, training_service_api_url="http://127.0.0.1:9/api")
    async with running_worker(alone):
        await until_live(connection)
        for number in range(120):
            await insert_rows(connection, [row(f"coin {number % 5}", number)])
            if number == 40:
                for model_id, damage in enumerate(DAMAGES, 1):
                    damage(file_of(tmp_path, model_id))
            if number == 80:
                # All is read again from the database, and from memory what the files held.
                await connection.execute("SELECT pg_notify('prediction_models_changed', '')")
                await connection.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND application_name IN ('prediction-worker', 'pumpcast live lock')"
                )
        await check_books(connection)
    async with running_worker(settings(database, tmp_path, training_service_api_url=training.url)):
        await until_live(connection)
        await insert_rows(connection, [row(f"coin {number}", 200) for number in range(5)])
        assert (await check_books(connection)).owed == 125 * len(DAMAGES)
    assert {model_id: digest(file_of(tmp_path, model_id)) for model_id in digests} == digests


async def test_rows_when_a_file_cannot_be_had_again_then_the_trouble_is_told_and_no_row_is_lost_by_waiting(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    lost = await activate_model(pool, tmp_path, model_id=1)
    await activate_model(pool, tmp_path, model_id=2)
    configured = settings(database, tmp_path, training_service_api_url="http://127.0.0.1:9/api")
    vanish(file_of(tmp_path, 1))
    await insert_rows(connection, [row("a", 1), row("a", 2)])
    async with running_worker(configured):
        told = f"SELECT ({TROUBLE}) LIKE '%model 1 cannot be loaded%delete the model'"
        await until(connection, told, expected=True)
        assert await connection.fetchval("SELECT count(*) FROM predictions") == 0
        await delete(pool, configured, lost)
        await until(connection, f"SELECT ({TROUBLE}) IS NULL", expected=True)
        assert (await check_books(connection)).predictions == 2
