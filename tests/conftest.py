"""Fixtures of all tests: a fresh, migrated database for each test, reached through a socket or over TCP."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from shared.db import Connection, Pool, connect, open_pool
from tests.support import database as support
from tests.support.memory import memory
from tests.support.warm_child import Command
from training_service.usecases import fitting

_AFRESH = fitting.COMMAND
_FOLDER_VARIABLE = "PUMPCAST_TEST_SERVER"
_ROOT = Path(__file__).resolve().parent.parent
_REAL_ROWS = _ROOT.parent / "shared" / "data" / "coin_metrics_sample.parquet"


def pytest_configure(config: pytest.Config) -> None:
    """Name the folder of this run's server; workers of pytest-xdist inherit it and share the server."""
    if not hasattr(config, "workerinput"):
        support.remove_leftovers()
        os.environ[_FOLDER_VARIABLE] = tempfile.mkdtemp(prefix=support.FOLDER_PREFIX, dir=memory())
    # As in production: to draw the values of all variables beside a trace takes seconds.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        # The end by SIGTERM runs through the fixtures, as Ctrl-C does: no server stays behind, and coverage is saved.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server even when workers were killed before they could."""
    if not hasattr(config, "workerinput") and (folder := os.environ.pop(_FOLDER_VARIABLE, None)):
        support.remove(Path(folder))


@pytest.fixture(scope="session", autouse=True)
def forked_children() -> Iterator[Command]:
    """Have the jobs of workers in this process done by forks, in a fraction of the time of a start."""
    with tempfile.TemporaryDirectory(prefix="pumpcast-fork-") as folder:
        fitting.COMMAND = command = Command(Path(folder))
        yield command
        command.end()


@pytest.fixture
def started_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have them done by processes that are started as for a user."""
    monkeypatch.setattr(fitting, "COMMAND", _AFRESH)


@pytest.fixture(scope="session")
def postgres() -> Iterator[support.TestServer]:
    """Give the server of this test run."""
    with support.test_server(Path(os.environ[_FOLDER_VARIABLE])) as server:
        yield server


@pytest.fixture
def database(postgres: support.TestServer) -> Iterator[str]:
    """Give the address of a fresh database with all tables, the tracker's too."""
    with postgres.fresh() as name:
        yield postgres.dsn(name)


@pytest.fixture
def empty_database(postgres: support.TestServer) -> Iterator[str]:
    """Give the address of a fresh database without any table."""
    with postgres.fresh("template0") as name:
        yield postgres.dsn(name)


@pytest.fixture
def tcp_database(postgres: support.TestServer) -> Iterator[str]:
    """Give the address of a fresh database with all tables, over TCP with a password."""
    with postgres.fresh() as name:
        yield postgres.tcp_dsn(name)


@pytest.fixture(params=["socket", "tcp"])
def any_database(request: pytest.FixtureRequest, postgres: support.TestServer) -> Iterator[str]:
    """Give the address of a fresh database both ways, one after the other."""
    with postgres.fresh() as name:
        yield postgres.dsn(name) if request.param == "socket" else postgres.tcp_dsn(name)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Give a pool on the fresh database."""
    opened = await open_pool(database, application="tests")
    yield opened
    await opened.close()


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """Give one connection of its own to the fresh database."""
    opened = await connect(database, application="tests")
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def real_rows() -> Path:
    """Give the file of real rows, or skip."""
    path = Path(os.environ.get("PUMPCAST_REAL_DATA", _REAL_ROWS))
    if not path.is_file():
        pytest.skip(f"no real rows at {path}: set PUMPCAST_REAL_DATA to a parquet file of coin_metrics")
    return path
