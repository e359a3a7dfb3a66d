"""Programs of the project, run beside what measures them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def installed(name: str) -> list[str]:
    """Give the command of a console script of this environment."""
    return [str(Path(sys.executable).with_name(name))]


@contextmanager
def running(program: list[str], *, cwd: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program with settings of its own; at the end it is asked to stop, then made to."""
    environment = {**os.environ, "LOG_LEVEL": "WARNING", "N8N_WEBHOOK_URL": "", **settings}
    process = subprocess.Popen(program, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
