"""What a process that reads files of strangers may use."""

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

BASE_MEMORY_BYTES = 1_500_000_000
MEMORY_PER_FILE_BYTE = 3
"""The numbers as they lie in the file, as the network holds them, and what one pass needs."""
LIBRARY_BYTES = 16_000_000_000
"""Address space that libraries may take at most: builds of torch for graphics cards map gigabytes."""
ROOM_BYTES = 500_000_000
"""What is left at least of the base once they are there."""
BASE_CPU_SECONDS = 60
BYTES_PER_CPU_SECOND = 10_000_000
_MOST_OPEN_FILES = 64
_NICENESS = 10
_PR_SET_PDEATHSIG = 1


def cpu_seconds(file_bytes: int) -> int:
    """Give how much time of a processor files of this size may take."""
    return BASE_CPU_SECONDS + file_bytes // BYTES_PER_CPU_SECOND


def wall_seconds(file_bytes: int) -> int:
    """Give how long that may last on a processor that others use too."""
    return 3 * cpu_seconds(file_bytes)


def apply(file_bytes: int) -> None:
    """Limit this process for good: memory, time, no writing, few files, no core; others go first."""
    memory = BASE_MEMORY_BYTES + MEMORY_PER_FILE_BYTE * file_bytes
    _limit(resource.RLIMIT_AS, memory, most=memory + LIBRARY_BYTES)
    seconds = cpu_seconds(file_bytes)
    # At the first the process ends by a signal that says why, at the second it is killed.
    _limit(resource.RLIMIT_CPU, seconds, most=seconds + 5)
    for kind, limit in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _MOST_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _limit(kind, limit, most=limit)
    # Whoever started this process ends it before, unless it was killed itself.
    signal.alarm(2 * wall_seconds(file_bytes))
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)


def end_with_parent() -> None:
    """Let this process be killed when the one that started it is gone, however that ended."""
    # Only Linux has it; elsewhere the alarm of `apply` ends it.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def let_libraries_in() -> None:
    """Allow the address space that libraries take, which no file has a say in, until `limit_again`."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    _limit(resource.RLIMIT_AS, most, most=most)


def limit_again(file_bytes: int) -> None:
    """Limit memory to what files of this size may take beside the libraries."""
    memory = max(BASE_MEMORY_BYTES, _address_space() + ROOM_BYTES) + MEMORY_PER_FILE_BYTE * file_bytes
    _limit(resource.RLIMIT_AS, memory, most=memory)


def _limit(kind: int, limit: int, *, most: int) -> None:
    _, highest = resource.getrlimit(kind)
    if highest != resource.RLIM_INFINITY:
        limit, most = min(limit, highest), min(most, highest)
    # Not every system keeps every limit.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (limit, most))


def _address_space() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return LIBRARY_BYTES
    return pages * resource.getpagesize()
