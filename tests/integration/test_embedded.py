"""The embedded database of a home: made, found again, refused."""

import asyncio
import os
import subprocess
from pathlib import Path

import adbc_driver_postgresql.dbapi
import psycopg
import pytest

from shared import embedded
from shared.cluster import server, stop_abandoned
from shared.db import connect
from shared.errors import Unavailable
from shared.migrate import pending
from tests.support.embedded import SHARE_AS_NOBODY, dsn_of, leave, psql, running, servers, settings


def test_database_when_home_is_new_then_all_tables_are_there_and_the_server_ends_with_it(folder):
    with embedded.database(settings(folder)) as dsn:
        assert pending(dsn) == []
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT count(*) FROM ref_coin_phases").fetchone() == (5,)
            assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert servers(folder)
    assert servers(folder) == []


def test_database_when_dsn_is_set_then_it_is_given_and_nothing_starts(folder):
    with embedded.database(settings(folder, "postgresql://elsewhere/name")) as dsn:
        assert dsn == "postgresql://elsewhere/name"
    assert list(folder.iterdir()) == []


async def test_database_when_asked_by_every_driver_then_all_understand_the_address(home):
    with embedded.database(settings(home)) as dsn:
        with adbc_driver_postgresql.dbapi.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        opened = await connect(dsn)
        assert await opened.fetchval("SELECT current_database()") == "pumpcast"
        await opened.close()
        assert await asyncio.to_thread(psql, dsn, "SELECT 2") == "2\n"


def test_database_when_entered_twice_then_data_stays_and_the_last_one_stops_it(home):
    with embedded.database(settings(home)) as dsn:
        with embedded.database(settings(home)) as again, psycopg.connect(again) as connection:
            connection.execute("INSERT INTO worker_positions (name, high) VALUES ('kept', 7)")
        assert again == dsn
        assert servers(home)
    assert servers(home) == []
    with embedded.database(settings(home)) as dsn, psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT high FROM worker_positions").fetchone() == (7,)


@pytest.mark.parametrize("name", ["x" * 120, "with spaces, a comma and ünïcode"])
def test_database_when_the_path_of_the_home_is_long_or_odd_then_it_works(made_home, folder, name):
    long_home = folder / name / "y" / "home"
    long_home.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", str(made_home), str(long_home)], check=True)
    with embedded.database(settings(long_home)) as dsn, psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        address = connection.execute("SHOW unix_socket_directories").fetchone()[0]
    assert servers(long_home) == []
    assert not Path(address).exists()


def test_database_when_an_exception_passes_then_the_server_ends(home):
    with pytest.raises(KeyboardInterrupt), embedded.database(settings(home)):
        raise KeyboardInterrupt
    assert servers(home) == []


def test_database_when_the_first_start_was_killed_half_way_then_the_next_completes_it(folder):
    (folder / "postgres" / "data.new").mkdir(parents=True)
    (folder / "postgres" / "data.new" / "PG_VERSION").write_text("18\n")
    with server(folder / "postgres") as address, psycopg.connect(address.dsn("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE pumpcast")
    with embedded.database(settings(folder)) as dsn:
        assert pending(dsn) == []
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT count(*) FROM coin_metrics").fetchone() == (0,)


def test_database_when_made_by_another_version_then_it_is_refused(home):
    (home / "postgres" / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(Unavailable, match="PostgreSQL 16"), embedded.database(settings(home)):
        pass


def test_database_when_home_is_a_file_then_the_message_names_it(folder):
    (folder / "home").write_text("")
    with pytest.raises(Unavailable, match="PUMPCAST_HOME"), embedded.database(settings(folder / "home")):
        pass


def test_database_when_postgres_does_not_start_then_its_log_is_told_and_nothing_stays(home):
    with (home / "postgres" / "data" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(Unavailable, match="no_such_setting"), embedded.database(settings(home)):
        pass
    assert servers(home) == []


def test_stop_abandoned_when_somebody_uses_the_server_then_it_stays(home):
    with embedded.database(settings(home)):
        assert not stop_abandoned(home / "postgres")
        assert servers(home)
    assert stop_abandoned(home / "postgres")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_database_when_run_by_an_ordinary_user_then_it_works_without_root(made_home, folder):
    folder.chmod(0o777)
    for above in folder.parents:
        above.chmod(above.stat().st_mode | 0o001)
    with running(SHARE_AS_NOBODY, folder, made_home) as process:
        dsn = dsn_of(process)
        # Root may join; the server goes on as the user who made it.
        with embedded.database(settings(folder)) as joined:
            assert joined == dsn
        leave(process)
    assert servers(folder) == []
    assert (folder / "postgres" / "data").owner() == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_database_when_it_belongs_to_another_user_then_the_message_says_so(made_home, home):
    for path in (home, *home.parents):
        path.chmod(path.stat().st_mode | 0o005)
    for path in (home / "postgres").iterdir():
        path.chmod(0o777 if path.name != "data" else 0o700)
    with running(SHARE_AS_NOBODY, home, made_home) as process:
        _, errors = process.communicate(timeout=60)
    assert "belongs to another user" in errors
