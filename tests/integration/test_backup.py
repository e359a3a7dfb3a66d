"""Backups: of one moment while services go on, whole or refused, and what is restored answers as before."""

import asyncio
import hashlib
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from pumpcast import backup_write
from pumpcast.backup_file import MANIFEST, reading
from pumpcast.backup_read import restore_backup
from pumpcast.backup_write import PACKAGE_FILES, our_tables, write_backup
from shared.db import Connection, Pool, connect
from shared.errors import PumpcastError
from shared.migrate import migrate, rollback
from shared.roles import lacking
from tests.support import live
from tests.support.database import TestServer, insert_rows, row
from tests.support.models import activate_model
from tests.support.receiver import Receiver
from tests.support.schema_rows import fill
from tests.support.system import ask, system, whole_story


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def silent(_: int) -> None:
    """Watch no progress."""


@pytest.fixture
def other(postgres: TestServer) -> Iterator[str]:
    """Give another database, without any table."""
    with postgres.fresh("template0") as name:
        yield postgres.dsn(name)


def back_up(
    dsn: str, home: Path, *, with_rows: bool = True, hook: Callable[[int], None] = silent, name: str = "b.tar"
) -> Path:
    path = home / name
    write_backup(path, dsn, live.settings(dsn, home), with_rows=with_rows, on_bytes=hook)
    return path


def restore(path: Path, dsn: str, home: Path, *, force: bool = False) -> None:
    restore_backup(path, dsn, live.settings(dsn, home), force=force, on_bytes=silent)


def refused(path: Path, dsn: str, home: Path, **given: Any) -> str:
    with pytest.raises(PumpcastError) as error:
        restore(path, dsn, home, **given)
    return error.value.message


def counts(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in our_tables()}


def files_of_rows(dsn: str) -> list[tuple[Path, str]]:
    """Give the model files that rows name, with their digests."""
    question = (
        "SELECT model_file_path, model_file_sha256 FROM ml_models UNION ALL"
        " SELECT local_model_path, model_file_sha256 FROM prediction_active_models"
    )
    with psycopg.connect(dsn) as connection:
        return [(Path(path), digest) for path, digest in connection.execute(question).fetchall()]


def intact(dsn: str, home: Path) -> int:
    """Check that every file that a row names lies below a home and is the one it should be; give how many."""
    found = files_of_rows(dsn)
    for path, digest in found:
        assert path.is_relative_to(home)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    return len(found)


async def answers(running: Any) -> tuple[Any, Any]:
    said = await ask(running.prediction, "POST", "/predict", {"coin_id": "coin001"})
    async with running.training.session.get("/api/models/1/download") as download:
        return said["predictions"], hashlib.sha256(await download.read()).hexdigest()


async def test_backup_of_a_running_system_when_restored_elsewhere_then_it_answers_the_same(
    database: str, other: str, connection: Connection, there: Receiver, tmp_path: Path
):
    one, two = tmp_path / "one", tmp_path / "two"
    async with system(database, database, one) as running:
        await whole_story(running, connection, there)
        path = await asyncio.to_thread(back_up, database, one)
        before = await answers(running)
        stored = await connection.fetch("SELECT * FROM predictions ORDER BY id")
    await asyncio.to_thread(restore, path, other, two)
    assert intact(other, two) == 2
    assert lacking(other) == []
    # The old home is gone, as after a fire.
    one.rename(tmp_path / "away")
    async with system(other, other, two, workers=False) as running:
        assert await answers(running) == before
        (model,) = (await ask(running.prediction, "GET", "/models/active"))["models"]
        assert model["total_predictions"] == len(stored)
    with psycopg.connect(other) as restored:
        kept = restored.execute("SELECT id, probability, outcome FROM predictions ORDER BY id").fetchall()
        assert kept == [(one["id"], one["probability"], one["outcome"]) for one in stored]
        # New rows get ids behind those that were restored.
        assert restored.execute("SELECT nextval(pg_get_serial_sequence('predictions', 'id'))").fetchone()[0] > len(kept)


async def test_live_worker_when_restored_then_it_goes_on_with_the_rows_that_come(
    database: str, other: str, pool: Pool, connection: Connection, tmp_path: Path
):
    one, two = tmp_path / "one", tmp_path / "two"
    await activate_model(pool, one)
    async with live.running_worker(live.settings(database, one)):
        await live.until_live(connection)
        await insert_rows(connection, [row("a", second) for second in range(0, 50, 5)])
        await live.until_predicted(connection, 10)
        path = await asyncio.to_thread(back_up, database, one)
    await asyncio.to_thread(restore, path, other, two)
    restored = await connect(other, application="tests")
    try:
        async with live.running_worker(live.settings(other, two)):
            await insert_rows(restored, [row("a", 60)])
            await live.until_predicted(restored, 11)
        assert await restored.fetchval("SELECT count(DISTINCT data_timestamp) FROM predictions") == 11
    finally:
        await restored.close()


async def test_backup_when_a_model_comes_and_another_goes_meanwhile_then_rows_and_files_are_of_one_moment(
    database: str, other: str, pool: Pool, tmp_path: Path
):
    home = tmp_path / "one"
    for model_id in (1, 2):
        await activate_model(pool, home, model_id=model_id)
    loop, done = asyncio.get_running_loop(), []

    async def change() -> None:
        await activate_model(pool, home, model_id=3)
        await pool.execute("DELETE FROM prediction_active_models WHERE model_id = 2")
        (home / "models" / "prediction" / "2.zip").unlink()

    def hook(_: int) -> None:
        # While the first file is copied.
        if not done:
            done.append(True)
            asyncio.run_coroutine_threadsafe(change(), loop).result(20)

    path = await asyncio.to_thread(back_up, database, home, hook=hook)
    await asyncio.to_thread(restore, path, other, tmp_path / "two")
    assert intact(other, tmp_path / "two") == 2
    with psycopg.connect(other) as restored:
        models = restored.execute("SELECT model_id FROM prediction_active_models ORDER BY 1").fetchall()
    assert models == [(1,), (3,)]


async def test_backup_when_a_file_is_lost_then_the_rest_is_saved_and_it_is_named(
    database: str, pool: Pool, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    (tmp_path / "models" / "prediction" / "1.zip").unlink()
    with reading(back_up(database, tmp_path), silent) as (_, contents):
        assert contents.missing == ("prediction/1.zip",)


async def test_backup_when_models_go_every_time_then_it_gives_up_and_leaves_nothing(
    database: str, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    await activate_model(pool, tmp_path)
    (tmp_path / "models" / "prediction" / "1.zip").unlink()
    named = backup_write._named
    calls = iter(range(100))
    monkeypatch.setattr(backup_write, "_named", lambda *given: named(*given) if next(calls) % 2 == 0 else [])
    with pytest.raises(PumpcastError, match="quieter"):
        back_up(database, tmp_path)
    assert names_in(tmp_path) == {"models"}


def test_every_table_when_filled_then_its_rows_come_back_even_over_older_migrations(
    database: str, other: str, tmp_path: Path
):
    with psycopg.connect(database) as connection:
        fill(connection)
    package = tmp_path / "packages" / "ppo_v1"
    package.mkdir(parents=True)
    for name in PACKAGE_FILES:
        (package / name).write_text(name)
    expected = counts(database)
    assert all(expected.values())
    path = back_up(database, tmp_path, with_rows=False)
    migrate(other)
    restore(path, other, tmp_path / "two")
    assert counts(other) == expected
    restored = tmp_path / "two" / "packages" / "ppo_v1"
    assert {one.name: one.read_text() for one in restored.iterdir()} == {name: name for name in PACKAGE_FILES}
    # Into what is in use only by force, and then it is what the backup was.
    assert "--force" in refused(path, other, tmp_path / "two")
    restore(path, other, tmp_path / "two", force=True)
    assert counts(other) == expected


def test_restore_when_the_backup_is_older_then_its_rows_are_migrated(database: str, other: str, tmp_path: Path):
    with psycopg.connect(database) as connection:
        fill(connection)
    rollback(database, 2)
    path = back_up(database, tmp_path, with_rows=False)
    restore(path, other, tmp_path / "two")
    assert counts(other)["predictions"] == 1
    assert migrate(other) == []


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Give a copy with some content changed; None leaves it out."""
    target = path.with_name("changed.tar")
    with tarfile.open(path) as source, tarfile.open(target, "w") as copy:
        for member in source:
            content = change(member.name, source.extractfile(member).read())
            if content is not None:
                member.size = len(content)
                copy.addfile(member, BytesIO(content))
    return target


def test_restore_when_the_file_is_damaged_newer_or_none_then_it_is_refused_and_nothing_changes(
    database: str, other: str, tmp_path: Path
):
    path = back_up(database, tmp_path, with_rows=False)

    def manifest(**changed: Any) -> Callable[[str, bytes], bytes]:
        return lambda name, body: orjson.dumps({**orjson.loads(body), **changed}) if name == MANIFEST else body

    cases = {
        "is not what was written": lambda name, body: (
            body[:-1] + bytes([body[-1] ^ 1]) if name == "database.dump" else body
        ),
        "does not hold the files": lambda name, body: None if name == "database.dump" else body,
        "has no manifest": lambda name, body: None if name == MANIFEST else body,
        "which is newer": manifest(migrations=["0001_training", "9999_future"], version="9.0"),
        "format 2": manifest(format=2),
    }
    for words, change in cases.items():
        assert words in refused(rewritten(path, change), other, tmp_path / "two")
    cut = tmp_path / "cut.tar"
    cut.write_bytes(path.read_bytes()[:5000])
    assert "damaged" in refused(cut, other, tmp_path / "two")
    assert "cannot be read" in refused(tmp_path / "none.tar", other, tmp_path / "two")
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("name", ["prediction/../../../evil.zip", "/etc/evil.zip", "training/.hidden/evil.zip", "x.sh"])
def test_restore_when_a_part_would_lie_elsewhere_then_it_is_refused(database: str, tmp_path: Path, name: str):
    path = back_up(database, tmp_path, with_rows=False)
    with tarfile.open(path) as source:
        raw = orjson.loads(source.extractfile(MANIFEST).read())
        kept = source.extractfile("database.dump").read()
    raw["parts"].append({"name": name, "bytes": 4, "sha256": hashlib.sha256(b"evil").hexdigest()})
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as copy:
        for part, content in (("database.dump", kept), (name, b"evil"), (MANIFEST, orjson.dumps(raw))):
            member = tarfile.TarInfo(part)
            member.size = len(content)
            copy.addfile(member, BytesIO(content))
    assert "no part of a backup" in refused(evil, database, tmp_path / "two")


async def test_restore_when_services_are_connected_then_it_is_refused(database: str, other: str, tmp_path: Path):
    path = back_up(database, tmp_path, with_rows=False)
    migrate(other)
    async with system(other, other, tmp_path / "two", workers=False):
        said = await asyncio.to_thread(refused, path, other, tmp_path / "three", force=True)
    assert "stop them" in said


def test_backup_when_the_name_is_taken_or_the_database_is_not_ours_then_it_is_refused(
    database: str, other: str, tmp_path: Path
):
    path = back_up(database, tmp_path, with_rows=False)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(PumpcastError, match="exists already"):
        back_up(database, tmp_path)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER ROLE pumpcast_prediction LOGIN")
    with pytest.raises(PumpcastError, match="of the owner"):
        back_up(database.replace("postgres@", "pumpcast_prediction@"), tmp_path, name="c.tar")
    with pytest.raises(PumpcastError, match="no tables of pumpcast"):
        back_up(other, tmp_path, name="c.tar")
    assert names_in(tmp_path) == {"b.tar"}
