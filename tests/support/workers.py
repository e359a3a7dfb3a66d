"""The prediction worker as a process of its own, with a clock of its own where a test wants one."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@contextmanager
def worker(database: str, home: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `prediction-worker` as a process of its own."""
    given = {**os.environ, "DB_DSN": database, "PUMPCAST_HOME": str(home), "LOG_LEVEL": "WARNING", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "prediction_service.worker"], env=given, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        process.wait(20)


@dataclass(frozen=True, slots=True)
class WallClock:
    """The wall clock of a process that is started with `environment`: every call of it, in Python and below."""

    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """Give what the process has to be started with."""
        package = importlib.util.find_spec("libfaketime")
        assert package is not None
        assert package.origin is not None
        (library,) = Path(package.origin).parent.rglob("libfaketime.so.1")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            # A clock that is set moves the time of day; what measures how long something takes goes on as it did.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: float) -> None:
        """Set the clock so far from the true time."""
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{seconds:+.3f}s\n")
        beside.replace(self.file)
