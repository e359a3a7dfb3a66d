"""What a process that reads files of strangers may use."""

import contextlib
import os
import resource

BASE_MEMORY_BYTES = 1_500_000_000
MEMORY_PER_FILE_BYTE = 3
"""The numbers as they lie in the file, as the network holds them, and what one pass needs."""
BASE_CPU_SECONDS = 60
BYTES_PER_CPU_SECOND = 10_000_000
_MOST_OPEN_FILES = 64
_NICENESS = 10


def memory_bytes(file_bytes: int) -> int:
    """Give how much address space files of this size may take."""
    return BASE_MEMORY_BYTES + MEMORY_PER_FILE_BYTE * file_bytes


def cpu_seconds(file_bytes: int) -> int:
    """Give how much time of a processor files of this size may take."""
    return BASE_CPU_SECONDS + file_bytes // BYTES_PER_CPU_SECOND


def apply(file_bytes: int) -> None:
    """Limit this process for good: memory, time, no writing, few files, no core; others go first."""
    for kind, limit in (
        (resource.RLIMIT_AS, memory_bytes(file_bytes)),
        (resource.RLIMIT_CPU, cpu_seconds(file_bytes)),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _MOST_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(kind)
        wanted = limit if most == resource.RLIM_INFINITY else min(limit, most)
        # Not every system keeps every limit.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (wanted, wanted))
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
