"""Where the databases of tests lie."""

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 2 * 1024**3


def memory() -> Path:
    """Give a folder for databases: in memory where there is room, unless TMPDIR names another."""
    # A disk that others use too makes the files of a new database the slowest part of a test.
    usable = "TMPDIR" not in os.environ and _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    return _MEMORY if usable and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES else Path(tempfile.gettempdir())
