import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import adbc_driver_postgresql.dbapi
import psutil
import psycopg
import pytest

from shared import embedded
from shared.cluster import program, server, stop_abandoned
from shared.db import connect, open_pool
from shared.errors import Unavailable
from shared.migrate import pending
from shared.settings import BasePart
from tests.support import database as support

ROOT = Path(__file__).resolve().parents[2]
SHARE = """
import sys
from shared import embedded
from shared.settings import BasePart
with embedded.database(BasePart(pumpcast_home=sys.argv[1], db_dsn="")) as dsn:
    print(dsn, flush=True)
    sys.stdin.readline()
"""
SHARE_AS_NOBODY = """
import os, pwd, sys
from shared import embedded
from shared.settings import BasePart
# Everything is imported as root: the interpreter may lie where nobody else may read.
with embedded.database(BasePart(pumpcast_home=sys.argv[2], db_dsn="")):
    pass
nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setgid(nobody.pw_gid)
os.setuid(nobody.pw_uid)
with embedded.database(BasePart(pumpcast_home=sys.argv[1], db_dsn="")) as dsn:
    print(dsn, flush=True)
    sys.stdin.readline()
"""
FORK = """
import os, sys, psycopg
from shared import embedded
from shared.settings import BasePart
try:
    with embedded.database(BasePart(pumpcast_home=sys.argv[1], db_dsn="")) as dsn:
        if os.fork() == 0:
            raise SystemExit
        os.wait()
        print("child left", flush=True)
        psycopg.connect(dsn).close()
        print("still there", flush=True)
except SystemExit:
    pass
"""
SLOW_TEST = """
import time

def test_slow_when_interrupted_then_the_run_ends(database):
    print("at work", flush=True)
    time.sleep(60)
"""


def settings(home: Path, db_dsn: str = "") -> BasePart:
    return BasePart(pumpcast_home=home, db_dsn=db_dsn)


def servers(home: Path) -> list[int]:
    """Give the ids of all processes of a home's server."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and Path(process.cwd()) == home / "postgres" / "data":
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def wait_until_gone(home: Path) -> None:
    deadline = time.monotonic() + 20
    while servers(home):
        assert time.monotonic() < deadline, "the server still runs"
        time.sleep(0.05)


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


def psql(dsn: str, query: str) -> str:
    command = [*embedded.psql_command(dsn), "-Atc", query]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def started_at(dsn: str) -> object:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT pg_postmaster_start_time()").fetchone()


@contextmanager
def running(script: str, *arguments: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a script in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if script is SHARE_AS_NOBODY:
        # Nobody may not write where coverage is measured.
        environment = {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], cwd=ROOT, env=environment,
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def dsn_of(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline().strip()
    assert line, process.stderr.read()
    return line


def leave(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate("\n", timeout=60)
    assert (process.returncode, errors) == (0, "")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    # Not below tmp_path: the system user must pass, and every start of pytest closes that to others again.
    with tempfile.TemporaryDirectory(prefix="pumpcast-home-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give an empty folder; a server that a failed test left in it is stopped."""
    with temporary_folder() as path:
        yield path
        stop_abandoned(path / "postgres")


@pytest.fixture(scope="session")
def made_home() -> Iterator[Path]:
    """Give a home whose database was made and stopped, to be copied."""
    with temporary_folder() as path:
        with embedded.database(settings(path)):
            pass
        yield path


@pytest.fixture
def home(made_home: Path, folder: Path) -> Iterator[Path]:
    """Give a home with a database that is not running."""
    copied = folder / "home"
    # Unlike shutil, cp keeps the owner.
    subprocess.run(["cp", "-a", str(made_home), str(copied)], check=True)
    yield copied
    stop_abandoned(copied / "postgres")


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


def test_database_when_processes_start_together_on_a_new_home_then_all_share_one_server(folder):
    with running(SHARE, folder) as first, running(SHARE, folder) as second, running(SHARE, folder) as third:
        addresses = {dsn_of(process) for process in (first, second, third)}
        assert len(addresses) == 1
        assert pending(addresses.pop()) == []
        leave(first)
        leave(second)
        assert servers(folder)
        leave(third)
    assert servers(folder) == []


def test_database_when_a_sharing_process_is_killed_then_the_others_go_on_and_the_last_stops_it(home):
    with running(SHARE, home) as killed, running(SHARE, home) as other:
        begun = started_at(dsn_of(killed))
        assert started_at(dsn_of(other)) == begun
        killed.kill()
        killed.wait()
        with embedded.database(settings(home)) as dsn:
            assert started_at(dsn) == begun
        assert servers(home)
        leave(other)
    assert servers(home) == []


def test_database_when_the_only_process_is_killed_then_the_next_joins_its_server_and_stops_it(home):
    with running(SHARE, home) as killed:
        begun = started_at(dsn_of(killed))
        killed.kill()
        killed.wait()
    assert servers(home)
    with embedded.database(settings(home)) as dsn:
        assert started_at(dsn) == begun
    assert servers(home) == []


def test_database_when_the_server_is_killed_then_the_next_one_starts_it_again_with_its_data(home):
    with embedded.database(settings(home)) as dsn:
        with psycopg.connect(dsn) as connection:
            connection.execute("INSERT INTO worker_positions (name, high) VALUES ('kept', 7)")
        os.kill(postmaster(home), signal.SIGKILL)
        with embedded.database(settings(home)) as again:
            assert again == dsn
            with psycopg.connect(dsn) as connection:
                assert connection.execute("SELECT high FROM worker_positions").fetchone() == (7,)
        assert servers(home)
    assert servers(home) == []


def test_database_when_the_server_is_killed_and_nobody_comes_then_leaving_still_works(home):
    with embedded.database(settings(home)):
        os.kill(postmaster(home), signal.SIGKILL)
    wait_until_gone(home)


def test_database_when_the_pid_file_names_a_living_stranger_then_it_starts(home):
    with embedded.database(settings(home)):
        written = (home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    stranger = "\n".join([str(os.getpid()), *written[1:]]) + "\n"
    (home / "postgres" / "data" / "postmaster.pid").write_text(stranger)
    with embedded.database(settings(home)) as dsn:
        assert pending(dsn) == []


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


def test_database_when_a_forked_child_leaves_then_the_server_stays(home):
    with running(FORK, home) as process:
        assert process.communicate(timeout=60) == ("child left\nstill there\n", "")
    assert servers(home) == []


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


def test_program_when_asked_then_it_is_the_one_of_the_wheel():
    shown = subprocess.run([program("pg_dump"), "--version"], capture_output=True, text=True, check=True)
    assert "PostgreSQL) 18" in shown.stdout


async def test_pool_when_either_way_of_connecting_then_it_answers(any_database):
    pool = await open_pool(any_database, application="tests")
    assert await pool.fetchval("SELECT count(*) FROM ref_coin_phases") == 5
    await pool.close()


async def test_pool_when_the_password_is_wrong_then_it_is_unavailable(tcp_database):
    wrong = tcp_database.replace("%20%25@", "@")
    assert wrong != tcp_database
    with pytest.raises(Unavailable):
        await open_pool(wrong, application="tests")


async def test_insert_rows_when_values_are_left_out_then_plain_ones_stand(connection):
    ids = await support.insert_rows(connection, [support.row("A", 0), support.row("B", 5, price_close=None)])
    assert ids == sorted(ids)
    prices = await connection.fetch("SELECT price_close::float8 AS price FROM coin_metrics ORDER BY id")
    assert [record["price"] for record in prices] == [3e-8, None]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_run_when_it_is_ended_in_a_test_then_no_server_stays(folder, monkeypatch, ending):
    monkeypatch.setenv("TMPDIR", str(folder))
    (folder / "test_slow.py").write_text(SLOW_TEST)
    pytest_run = [sys.executable, "-m", "pytest", "-qs", "-p", "tests.conftest", "-p", "no:randomly"]
    command = [*pytest_run, "--rootdir", str(ROOT), str(folder / "test_slow.py")]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        seen = ""
        while "at work" not in seen:
            line = run.stdout.readline()
            assert line, seen
            seen += line
        used = next(folder.glob(support.FOLDER_PREFIX + "*"))
        run.send_signal(ending)
        run.communicate(timeout=60)
    if ending == signal.SIGKILL:
        # Nobody can clean up after that but the next run.
        os.utime(used, (0, 0))
        monkeypatch.setattr("tempfile.tempdir", None)
        support.remove_leftovers()
    assert not used.exists()
    assert not [process for process in psutil.process_iter() if str(folder) in _folder_of(process)]


def _folder_of(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except (psutil.Error, OSError):
        return ""
