"""Run pumpcast as a user does, in a place of its own, and see what it leaves behind."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

PUMPCAST = [sys.executable, "-P", "-c", "from pumpcast.cli import main; main()"]
_PORTS = (
    "TRAINING_API_PORT", "PREDICTION_API_PORT", "STREAMLIT_PORT", "TRAINING_METRICS_PORT", "PREDICTION_METRICS_PORT",
)  # fmt: skip


@contextmanager
def place() -> Iterator[Path]:
    """Give an empty folder for temporary files and homes, in which every started process can be found again.

    Not below pytest's own folder: other runs close that to the system user that PostgreSQL runs as under root.
    """
    with tempfile.TemporaryDirectory(prefix="pumpcast-place-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        try:
            yield path
        finally:
            # Whatever a failed test left behind in this place, and nothing else.
            for left in family(path):
                left.kill()


def environment(folder: Path) -> dict[str, str]:
    """Give an environment without settings of the user: temporary files in `folder`, home and free ports of its own."""
    own = {"DB_DSN", "API_KEYS", "LOG_LEVEL", "MODEL_STORAGE_PATH", "BIND_HOST", "N8N_WEBHOOK_URL", "PUMPCAST_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in _PORTS]
    ports = {name: str(one.getsockname()[1]) for name, one in zip(_PORTS, sockets, strict=True)}
    for one in sockets:
        one.close()
    return {**kept, **ports, "TMPDIR": str(folder), "PUMPCAST_HOME": str(folder / "home")}


def family(folder: Path) -> list[psutil.Process]:
    """Give the processes that were started in a place."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("TMPDIR") == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found
