"""The server of the test run itself, and what the tests rely on."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from shared.cluster import program
from shared.db import open_pool
from shared.errors import Unavailable
from tests.support import database as support
from tests.support.embedded import ROOT

SLOW_TEST = """
import time

def test_slow_when_interrupted_then_the_run_ends(database):
    print("at work", flush=True)
    time.sleep(60)
"""


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
