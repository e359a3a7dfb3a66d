"""Homes with an embedded server in tests, and processes that share them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from shared import embedded
from shared.settings import BasePart
from tests.support.memory import memory

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
    """Give an empty folder for homes, in memory where there is room."""
    # Not below tmp_path: the system user must pass, and every start of pytest closes that to others again.
    with tempfile.TemporaryDirectory(prefix="pumpcast-home-", dir=memory(), ignore_cleanup_errors=True) as name:
        yield Path(name)
