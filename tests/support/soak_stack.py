"""The stack of a soak: a database server of its own, both APIs and two workers of each kind under supervisord."""

import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import psycopg

from pumpcast.supervision import Program, State, Supervision
from shared import cluster
from shared.migrate import SQL_FOLDER, migrate, run_script
from tests.support.processes import environment

APIS: Final = ("training-api", "prediction-api")
TRAINING_WORKERS: Final = ("training-worker-1", "training-worker-2")
PREDICTION_WORKERS: Final = ("prediction-worker-1", "prediction-worker-2")
# Commits are kept through a crash of the server, or an accepted job could be lost rightly.
SERVER: Final = {"max_connections": "200", "max_wal_size": "512MB"}
READY_SECONDS: Final = 90.0
LOOK_SECONDS: Final = 0.1
ANSWER_SECONDS: Final = 5.0
_ROOT: Final = Path(__file__).resolve().parents[2]
_SHARDS: Final = """
SELECT count(*) = 8 AND bool_and(
    owner IS NOT NULL AND status ->> 'trouble' IS NULL AND status ->> 'listener' = 'listen'
    AND (status ->> 'beat')::timestamptz > to_timestamp(%s)
) FROM worker_positions WHERE name LIKE 'live-%%'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What runs and where it answers."""

    folder: Path
    dsn: str
    ports: dict[str, int]
    supervision: Supervision
    names: tuple[str, ...]
    """Of all programs, in the order of a rolling restart."""
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def states(self) -> list[State]:
        """Tell how every program is doing; from any thread."""
        with self._asking:
            return self.supervision.states()

    def url(self, service: str) -> str:
        """Give the address of an API: training or prediction."""
        return f"http://127.0.0.1:{self.ports[f'{service}-api']}/api"

    def state(self, name: str) -> State | None:
        """Tell how a program is doing; None while supervisord does not say."""
        return next((one for one in self.states() if one.name == name), None)

    def process(self, name: str) -> psutil.Process | None:
        """Give the process of a program that runs."""
        state = self.state(name)
        with suppress(psutil.Error):
            return psutil.Process(state.pid) if state and state.pid else None
        return None

    def ready(self, name: str, since: float) -> bool:
        """Tell whether a program does its work; what it said before `since`, in seconds since 1970, does not count."""
        process = self.process(name)
        if process is None:
            return False
        if name in APIS:
            return _answers(self.ports[name], "/api/health/ready")
        with suppress(psutil.Error, psycopg.Error):
            listens = any(one.status == psutil.CONN_LISTEN for one in process.net_connections(kind="inet"))
            return listens and (name in TRAINING_WORKERS or self._shards_are_served(since))
        return False

    def until_ready(self, *names: str, since: float) -> bool:
        """Wait until programs do their work; False when they do not."""
        deadline = time.monotonic() + READY_SECONDS
        for name in names or self.names:
            while not self.ready(name, since):
                if time.monotonic() > deadline:
                    return False
                time.sleep(LOOK_SECONDS)
        return True

    def restart_database(self, number: signal.Signals) -> None:
        """End the database server, orderly (SIGINT) or as a crash (SIGQUIT), and start it again."""
        pid = int((self.folder / "server" / "data" / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        postmaster.send_signal(number)
        postmaster.wait(60)
        with cluster.server(self.folder / "server", options=SERVER):
            pass

    def _shards_are_served(self, since: float) -> bool:
        with psycopg.connect(self.dsn, autocommit=True, connect_timeout=5) as connection:
            found = connection.execute(_SHARDS, (since,)).fetchone()
        return bool(found and found[0])


@contextmanager
def soaked_stack(folder: Path, *, training_entry: str, training_workers: int) -> Iterator[Stack]:
    """Run everything below a folder; to be used by a process of its own, whose environment it changes."""
    (folder / "tmp").mkdir()
    before = dict(os.environ)
    with cluster.server(folder / "server", options=SERVER) as address:
        with psycopg.connect(address.dsn("postgres"), autocommit=True) as admin:
            admin.execute("CREATE DATABASE soak")
        dsn = address.dsn("soak")
        run_script(dsn, SQL_FOLDER / "dev" / "coin_metrics.sql")
        migrate(dsn)
        given = environment(folder / "tmp")
        ports = {name: int(given[f"{name.upper().replace('-', '_')}_PORT"]) for name in APIS}
        given |= {
            "DB_DSN": dsn, "PUMPCAST_HOME": str(folder / "home"), "PYTHONPATH": str(_ROOT), "LOG_LEVEL": "INFO",
            "WEBHOOK_ALLOW_PRIVATE": "true", "POLLING_INTERVAL_SECONDS": "2", "JOB_POLL_INTERVAL": "1",
            "TRAINING_SERVICE_API_URL": f"http://127.0.0.1:{ports['training-api']}/api",
        }  # fmt: skip
        (folder / "home").mkdir()
        try:
            os.environ.clear()
            os.environ.update(given)
            # Away from any `.env`.
            os.chdir(folder)
            names = (*APIS, *TRAINING_WORKERS[:training_workers], *PREDICTION_WORKERS)
            programs = _programs(names, training_entry)
            with Supervision(folder / "home", programs, hurry=threading.Event()) as supervision:
                yield Stack(folder=folder, dsn=dsn, ports=ports, supervision=supervision, names=names)
        finally:
            os.environ.clear()
            os.environ.update(before)
            os.chdir(_ROOT)


def _programs(names: tuple[str, ...], training_entry: str) -> list[Program]:
    entries = {
        "training-api": "training_service.app:main", "prediction-api": "prediction_service.app:main",
        **dict.fromkeys(TRAINING_WORKERS, training_entry),
        **dict.fromkeys(PREDICTION_WORKERS, "prediction_service.worker:main"),
    }  # fmt: skip
    return [Program(name=name, group="apis" if name in APIS else "workers", entry=entries[name]) for name in names]


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
