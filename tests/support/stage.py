"""A running stack for tests in a browser: both APIs, both workers and the app, each a process of its own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from prediction_service.settings import PredictionSettings
from streamlit_ui.settings import AppSettings
from training_service.settings import TrainingSettings

ENTRIES: Final = {
    "training-api": "training_service.app",
    "prediction-api": "prediction_service.app",
    "training-worker": "training_service.worker",
    "prediction-worker": "prediction_service.worker",
    "app": "streamlit_ui.serve",
}
"""The modules whose `main` the console scripts run."""
_PORTS: Final = {
    "training-api": "TRAINING_API_PORT",
    "prediction-api": "PREDICTION_API_PORT",
    "training-worker": "TRAINING_METRICS_PORT",
    "prediction-worker": "PREDICTION_METRICS_PORT",
    "app": "STREAMLIT_PORT",
}
PATIENCE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.05


@dataclass(slots=True)
class Stage:
    """What runs, where it answers, and the ways to let it fall and stand up again."""

    home: Path
    dsn: str
    environment: dict[str, str]
    ports: dict[str, int]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def training(self) -> str:
        return f"http://127.0.0.1:{self.ports['training-api']}/api"

    @property
    def prediction(self) -> str:
        return f"http://127.0.0.1:{self.ports['prediction-api']}/api"

    @property
    def app(self) -> str:
        return f"http://127.0.0.1:{self.ports['app']}"

    def start(self, *names: str) -> None:
        """Start programs by name; `ready` tells when they answer."""
        for name in names:
            # Away from any folder with an `.env` or modules in it.
            code = f"from {ENTRIES[name]} import main; main()"
            with self.log(name).open("ab") as log:
                self.running[name] = subprocess.Popen(
                    [sys.executable, "-P", "-c", code], cwd=self.home, env=self.environment, stdout=log, stderr=log
                )

    def ready(self, *names: str) -> None:
        """Wait until programs do their work."""
        for name in names:
            until(lambda name=name: self._alive(name) and self._ready(name), f"{name} to be ready")

    def kill(self, name: str) -> None:
        """Let a program die as if its machine did."""
        self.running[name].kill()
        self.running.pop(name).wait()

    def stop(self) -> None:
        """End everything, the app first; whoever does not go is killed."""
        for name in ("app", "training-worker", "prediction-worker", "training-api", "prediction-api"):
            if name in self.running:
                self.running[name].send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def log(self, name: str) -> Path:
        """Give the file that holds what a program said."""
        return self.home / f"{name}.log"

    def ask(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """Ask one of the two APIs past the app: `training` or `prediction`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[f"{service}-api"], timeout=PATIENCE_SECONDS * 2)
        try:
            given = None if body is None else json.dumps(body)
            connection.request(method, f"/api{path}", given, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status < 400, f"{method} {path} answers {answer.status}: {text[:500]!r}"
        return json.loads(text) if text else None

    def _alive(self, name: str) -> bool:
        assert self.running[name].poll() is None, f"{name} ended: {self.log(name).read_text()[-2000:]}"
        return True

    def _ready(self, name: str) -> bool:
        match name:
            case "training-worker":
                return _answers(self.ports[name], "/metrics")
            case "prediction-worker":
                return _worker_listens(self.dsn)
            case "app":
                return _answers(self.ports[name], "/_stcore/health")
            case _:
                return _answers(self.ports[name], "/api/health/ready" if self._is_open else "/api/health/live")

    @property
    def _is_open(self) -> bool:
        return not self.environment.get("API_KEYS")


@contextmanager
def stage(home: Path, dsn: str, *names: str, **settings: str) -> Iterator[Stage]:
    """Run programs, all of them where none is named, on a migrated database, below a folder of their own."""
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in ENTRIES}
    ports = {name: one.getsockname()[1] for name, one in sockets.items()}
    for one in sockets.values():
        one.close()
    found = Stage(home=home, dsn=dsn, environment=_environment(home, dsn, ports) | settings, ports=ports)
    chosen = names or tuple(ENTRIES)
    try:
        found.start(*chosen)
        found.ready(*chosen)
        yield found
    finally:
        found.stop()


def until(holds: Callable[[], Any], what: str, *, seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait for something to become true, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(LOOK_SECONDS)
    return found


def _environment(home: Path, dsn: str, ports: dict[str, int]) -> dict[str, str]:
    """Give an environment without settings of the user."""
    own = {name.upper() for part in (TrainingSettings, PredictionSettings, AppSettings) for name in part.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return {
        **kept,
        **{setting: str(ports[name]) for name, setting in _PORTS.items()},
        "PUMPCAST_HOME": str(home / "home"), "DB_DSN": dsn, "LOG_LEVEL": "WARNING", "WEBHOOK_ALLOW_PRIVATE": "true",
        "API_BASE_URL": f"http://127.0.0.1:{ports['prediction-api']}/api",
        "TRAINING_SERVICE_API_URL": f"http://127.0.0.1:{ports['training-api']}/api",
    }  # fmt: skip


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _worker_listens(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT bool_and(owner IS NOT NULL AND status ->> 'listener' = 'listen')"
            " FROM worker_positions WHERE name LIKE 'live-%'"
        ).fetchone()
    return bool(found and found[0])
