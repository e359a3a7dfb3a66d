"""Folders of packages on the disk: filled out of sight, put in place whole, taken away whole.

`.incoming/` holds one folder for each upload under way, locked by the process that fills it: the lock ends with the
process, so that what a killed one left is known at once. A folder that is put in place carries a mark until its row
is committed, and one that is taken away gets the mark before its row goes; so a marked folder without a row is a
left-over, and nothing else is ever removed.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any

import orjson

from shared.errors import NoRoom, Unavailable

FORECAST_FILE = "forecast_model.pt"
POLICY_FILE = "ppo_policy.zip"
MANIFEST_FILE = "manifest.json"
_INCOMING = ".incoming"
_MARK = ".unsettled"


@contextmanager
def writing() -> Iterator[None]:
    """Turn a refusal of the disk into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise NoRoom("The disk that holds the packages is full: free some space") from error
        raise Unavailable(f"The folder of packages cannot be written: {error.strerror}") from error


@dataclass(slots=True)
class Entry:
    """The folder of a package on its way: in `.incoming`, then in its place."""

    path: Path
    descriptor: int
    """Of the folder itself, which it keeps locked."""
    settled: bool = False
    """Its row is committed."""

    def place(self, target: Path) -> None:
        """Put the folder in its place, marked, and make sure that a power cut leaves it there."""
        with writing():
            (self.path / _MARK).touch()
            os.fsync(self.descriptor)
            self.path.rename(target)
            self.path = target
            _sync(target.parent)

    def settle(self) -> None:
        """Take the mark away: the row is committed."""
        self.settled = True
        with suppress(OSError):
            (self.path / _MARK).unlink(missing_ok=True)

    def leave(self) -> None:
        """Leave the folder in its place with its mark: the next start sees whether there is a row."""
        self.settled = True

    def close(self) -> None:
        """Let the folder go; one that was not settled disappears."""
        if not self.settled and self._is_there():
            if self.path.parent.name == _INCOMING:
                shutil.rmtree(self.path, ignore_errors=True)
            else:
                remove(self.path.parent, self.path.name)
        os.close(self.descriptor)

    def _is_there(self) -> bool:
        # After a long pause of this process another package may have the place.
        try:
            return os.path.samestat(os.fstat(self.descriptor), self.path.stat())
        except OSError:
            return False


def open_entry(root: Path) -> Entry:
    """Make a folder that nobody else sees or sweeps."""
    with writing():
        incoming = root / _INCOMING
        incoming.mkdir(parents=True, exist_ok=True)
        with _locked(incoming, fcntl.LOCK_SH):
            path = incoming / uuid.uuid4().hex
            path.mkdir()
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    return Entry(path, descriptor)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest that was given beside the files of a package."""
    with writing(), (folder / MANIFEST_FILE).open("xb") as file:
        file.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())


def mark(root: Path, package_id: str) -> None:
    """Mark the folder of a package whose row is about to go; none is fine."""
    folder = root / package_id
    with writing():
        if folder.is_dir():
            (folder / _MARK).touch()
            _sync(folder)


def unmark(root: Path, package_id: str) -> None:
    """Take the mark away from a folder whose row stays."""
    with suppress(OSError):
        (root / package_id / _MARK).unlink(missing_ok=True)


def remove(root: Path, package_id: str) -> None:
    """Take the folder of a package away: out of its place at once, then bit by bit."""
    away = root / _INCOMING / uuid.uuid4().hex
    with writing(), suppress(FileNotFoundError):
        away.parent.mkdir(exist_ok=True)
        # Another process may sweep the same at this moment.
        (root / package_id).rename(away)
    shutil.rmtree(away, ignore_errors=True)


def sweep_incoming(root: Path) -> int:
    """Remove what killed uploads left in `.incoming`; those under way in other processes are locked and stay."""
    incoming, removed = root / _INCOMING, 0
    if not incoming.is_dir():
        return 0
    with writing(), _locked(incoming, fcntl.LOCK_EX):
        for path in filter(Path.is_dir, incoming.iterdir()):
            with suppress(BlockingIOError, FileNotFoundError), _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(path, ignore_errors=True)
                removed += 1
    return removed


def sweep_marked(root: Path, ids: Collection[str]) -> list[str]:
    """Remove marked folders that no row belongs to, and the marks of the others; give the names of the removed."""
    removed = []
    for mark_file in root.glob(f"*/{_MARK}"):
        name = mark_file.parent.name
        if name in ids:
            unmark(root, name)
        elif name != _INCOMING:
            remove(root, name)
            removed.append(name)
    return removed


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
