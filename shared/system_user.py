"""The user that the embedded PostgreSQL runs as: ourselves, but for root another one, as PostgreSQL refuses root."""

import os
import pwd
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared.errors import Unavailable

_NAME = "pgserver"
_PASS = 0o001
_READ = 0o004


def owner_of(data: Path) -> tuple[int, int]:
    """Give user and group for a data folder, which need not be there yet."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if data.exists() and (status := data.stat()).st_uid != 0:
        return status.st_uid, status.st_gid
    entry = _system_user()
    return entry.pw_uid, entry.pw_gid


def as_owner_of(data: Path) -> dict[str, Any]:
    """Give the arguments of `subprocess.run` that make a process run as that user."""
    if os.geteuid() != 0:
        return {}
    user, group = owner_of(data)
    return {"user": user, "group": group, "extra_groups": []}


def give(path: Path, data: Path) -> None:
    """Let a file or folder belong to the owner of a data folder."""
    if os.geteuid() == 0:
        os.chown(path, *owner_of(data), follow_symlinks=False)


def let_in(folder: Path, programs: Path) -> None:
    """Let the other user pass to a folder and run the programs; for everybody but root nothing is to do."""
    if os.geteuid() != 0:
        return
    for above in (folder, *folder.parents, programs, *programs.parents):
        _allow(above, _PASS)
    # An umask of 077 at installation leaves programs and libraries that only root reads.
    if not (programs / "postgres").stat().st_mode & _READ:
        for path in programs.parent.rglob("*"):
            _allow(path, _READ | _PASS if path.is_dir() or path.parent == programs else _READ)


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)


def _system_user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam(_NAME)
    make = ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _NAME)
    with suppress(OSError):
        subprocess.run(make, check=False, capture_output=True)  # noqa: S603
    for name in (_NAME, "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable(f"PostgreSQL does not run as root and there is no other user: useradd --system {_NAME}")
