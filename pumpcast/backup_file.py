"""The file of a backup: a plain tar of dumps and model files, and at its end a manifest with the digest of each."""

import hashlib
import os
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

import orjson

from shared.errors import Conflict, Invalid, Unavailable

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DATABASE: Final = "database.dump"
ROWS: Final = "rows.dump"
OWNER_ONLY: Final = 0o600
LARGEST_MANIFEST: Final = 64 << 20
BLOCK: Final = 1 << 20
_PART: Final = re.compile(
    rf"{DATABASE}|{ROWS}|(training|prediction)/[\w.-]+\.zip|packages/[a-z0-9_]+/[\w-]+\.(pt|zip|json)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file in it."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a backup says of itself."""

    format: int = FORMAT
    version: str
    """Of pumpcast."""
    created_at: str
    server_version: int
    """Of PostgreSQL, as server_version_num."""
    migrations: tuple[str, ...]
    """Applied, in their order."""
    parts: tuple[Part, ...]
    missing: tuple[str, ...] = ()
    """Files that rows named and nobody had any more."""

    @property
    def has_rows(self) -> bool:
        """Tell whether coin_metrics is in it."""
        return any(part.name == ROWS for part in self.parts)


class _Counted:
    """A file that counts and digests what is read from it."""

    def __init__(self, file: IO[bytes], on_bytes: Callable[[int], None]) -> None:
        self._file, self._on_bytes = file, on_bytes
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read some bytes."""
        block = self._file.read(size)
        self.digest.update(block)
        self._on_bytes(len(block))
        return block


@dataclass(slots=True)
class Writer:
    """A backup that is being written."""

    archive: tarfile.TarFile
    on_bytes: Callable[[int], None]
    parts: list[Part] = field(default_factory=list)

    def add(self, name: str, path: Path) -> Part:
        """Add a file; FileNotFoundError leaves the archive as it was."""
        with path.open("rb") as file:
            counted = _Counted(file, self.on_bytes)
            size = os.fstat(file.fileno()).st_size
            self.archive.addfile(_entry(name, size), counted)
        part = Part(name=name, bytes=size, sha256=counted.digest.hexdigest())
        self.parts.append(part)
        return part

    def finish(self, contents: Contents) -> None:
        """Add the manifest."""
        body = orjson.dumps(asdict(contents), option=orjson.OPT_INDENT_2)
        self.archive.addfile(_entry(MANIFEST, len(body)), BytesIO(body))


@contextmanager
def writing(path: Path, on_bytes: Callable[[int], None]) -> Iterator[Writer]:
    """Write a backup that is at its path when it is whole, and not at all before."""
    if path.exists():
        raise Conflict(f"{path} exists already: choose another name, such as one with the date")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                yield Writer(archive, on_bytes)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def reading(path: Path, on_bytes: Callable[[int], None]) -> Iterator[tuple[tarfile.TarFile, Contents]]:
    """Open a backup whose every part is what its manifest says; Invalid when one is not."""
    try:
        with tarfile.open(path, "r:") as archive:
            members = {member.name: member for member in archive}
            contents = _contents(archive, members.pop(MANIFEST, None), path)
            if {part.name for part in contents.parts} != set(members):
                raise Invalid(f"{path} is damaged: it does not hold the files that its manifest names")
            for part in contents.parts:
                _check(archive, members[part.name], part, path, on_bytes)
            yield archive, contents
    except (tarfile.TarError, EOFError) as error:
        raise Invalid(f"{path} is no backup, or a damaged one: it cannot be read as tar ({error})") from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror or error}") from error


def content_of(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """Give a part to read from."""
    file = archive.extractfile(name)
    assert file is not None
    return file


def _check(
    archive: tarfile.TarFile, member: tarfile.TarInfo, part: Part, path: Path, on_bytes: Callable[[int], None]
) -> None:
    if not member.isreg() or not _PART.fullmatch(part.name):
        raise Invalid(f"{path} holds {part.name!r}, which is no part of a backup")
    with content_of(archive, part.name) as file:
        counted = _Counted(file, on_bytes)
        while counted.read(BLOCK):
            pass
    if counted.digest.hexdigest() != part.sha256:
        raise Invalid(f"{path} is damaged: {part.name} is not what was written")


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo | None, path: Path) -> Contents:
    if member is None or not member.isreg() or member.size > LARGEST_MANIFEST:
        raise Invalid(f"{path} is no whole backup: it has no {MANIFEST}")
    try:
        raw: dict[str, Any] = orjson.loads(content_of(archive, MANIFEST).read())
        if raw["format"] != FORMAT:
            raise Invalid(f"{path} has format {raw['format']}, this pumpcast reads format {FORMAT}: update pumpcast")
        parts = tuple(Part(**part) for part in raw.pop("parts"))
        if not raw["migrations"] or not any(part.name == DATABASE for part in parts):
            raise Invalid(f"{path} is damaged: its {MANIFEST} names no {DATABASE} or no migrations")
        return Contents(
            **{**raw, "migrations": tuple(raw["migrations"]), "missing": tuple(raw["missing"])}, parts=parts
        )
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Invalid(f"{path} is damaged: its {MANIFEST} is none") from error


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, OWNER_ONLY, int(time.time())
    return entry
