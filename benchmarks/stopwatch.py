"""How seconds and bytes are measured: calls in this process, and ways that get a process of their own."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def timed(call: Callable[[], object], *, times: int) -> float:
    """Give the median seconds of some calls, after one that is not counted."""
    call()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def in_process(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module as a program and give what it printed as JSON; `process_seconds` is from its start to its end."""
    started = time.perf_counter()
    command = [sys.executable, "-m", module, *arguments]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout
    seconds = time.perf_counter() - started
    found: dict[str, Any] = json.loads(output)
    return found | {"process_seconds": seconds}


def peak_bytes() -> int:
    """Give the most memory this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        # The peak that getrusage gives starts with that of the process we were forked from.
        (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
