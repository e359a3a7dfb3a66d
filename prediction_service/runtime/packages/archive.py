"""Zip files of strangers: every byte belongs to one entry, every entry is what the directory says it is.

Readers of zip files disagree where a file contradicts itself. Here entries must follow one another from the first
byte to the directory, and the directory to the end: there is one way to read such a file, and torch reads what was
checked.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from prediction_service.runtime.packages.archive_index import STORED, Entry, read_index
from shared.errors import PackageInvalid

BLOCK_BYTES = 1 << 20
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_DESCRIPTOR = struct.Struct("<4sIII")
_LONG_DESCRIPTOR = struct.Struct("<4sIQQ")
_WITH_DESCRIPTOR = 0x0008
_KNOWN_FLAGS = 0x0808
"""Sizes behind the data; names in UTF-8."""
_DEFLATE_LEVELS = 0x0006
_ENCRYPTED = 0x2041
_FULL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file in an archive, ready to be read."""

    name: str
    offset: int
    """Where its bytes begin in the archive."""
    stored: int
    """Bytes it takes there."""
    size: int
    """Bytes it holds."""
    crc: int
    """CRC-32 of what it holds."""
    method: int
    """0 stored, 8 deflated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What an archive may hold at most."""

    entries: int
    inflated: int
    """Bytes of all files together."""


def read_members(file: BinaryIO, bounds: Bounds, *, what: str) -> dict[str, Member]:
    """Give the files of a zip by name, in the order of their bytes, after every check of its structure.

    Nothing is inflated. `what` names the archive in the sentence of a refusal.
    """
    size = file.seek(0, os.SEEK_END)
    entries, directory = read_index(file, size, most=bounds.entries, what=what)
    members: dict[str, Member] = {}
    inflated = end = 0
    for entry in sorted(entries, key=lambda entry: entry.header):
        _check_kind(entry, what=what)
        if entry.name in members:
            raise PackageInvalid(f"{what} holds {_shown(entry.name)} twice; pack it again")
        inflated += entry.size
        if inflated > bounds.inflated:
            raise PackageInvalid(f"{what} would inflate to more than {bounds.inflated:,} bytes, which no model does")
        if entry.header != end:
            raise PackageInvalid(f"{what} has bytes that belong to no entry, or entries that overlap; save it again")
        members[entry.name], end = _locate(file, entry, directory, what=what)
    if end != directory:
        raise PackageInvalid(f"{what} has bytes between its last entry and its directory; save it again")
    return members


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 80 else name[:77] + "...")  # noqa: PLR2004


def _check_kind(entry: Entry, *, what: str) -> None:
    name = _shown(entry.name)
    parts = entry.name.split("/")
    is_drive = entry.name[1:2] == ":"
    if "\\" in entry.name or is_drive or not entry.name.isprintable() or "" in parts or {".", ".."} & {*parts}:
        raise PackageInvalid(
            f"{what} holds {name}, which is no plain relative path; pack the files alone, without folders"
        )
    if entry.flags & _ENCRYPTED:
        raise PackageInvalid(f"{what} holds {name} encrypted; pack it without a password")
    kind = stat.S_IFMT(entry.attributes >> 16)
    if kind not in (0, stat.S_IFREG) or entry.attributes & 0x10:
        raise PackageInvalid(f"{what} holds {name}, which is a link, a folder or a device; pack plain files only")
    if entry.flags & ~(_KNOWN_FLAGS | _DEFLATE_LEVELS) or entry.method not in (STORED, 8):
        raise PackageInvalid(f"{what} holds {name} in a way that is not read here; pack it stored or deflated")
    if entry.method == STORED and entry.stored != entry.size:
        raise PackageInvalid(f"{what} tells two sizes of {name}; it is damaged")


def _locate(file: BinaryIO, entry: Entry, directory: int, *, what: str) -> tuple[Member, int]:
    """Give the member, and where the next one must begin."""
    damaged = PackageInvalid(f"{what}: the header of {_shown(entry.name)} contradicts the directory; save it again")
    file.seek(entry.header)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size:
        raise damaged
    mark, _, flags, method, _, _, crc, stored, size, name_length, extra_length = _LOCAL.unpack(header)
    start = entry.header + _LOCAL.size + name_length + extra_length
    end = start + entry.stored
    if mark != b"PK\x03\x04" or end > directory or name_length != len(entry.raw_name):
        raise damaged
    rest = file.read(name_length + extra_length)
    if rest[:name_length] != entry.raw_name or flags != entry.flags or method != entry.method:
        raise damaged
    told = (crc, stored, size)
    if flags & _WITH_DESCRIPTOR:
        if any(told):
            raise damaged
        end = _skip_descriptor(file, entry, end, damaged)
    else:
        if _FULL in told[1:]:
            told = (crc, *_long_sizes(rest[name_length:]))
        if told != (entry.crc, entry.stored, entry.size):
            raise damaged
    return (
        Member(name=entry.name, offset=start, stored=entry.stored, size=entry.size, crc=entry.crc, method=entry.method),
        end,
    )


def _long_sizes(extra: bytes) -> tuple[int, int]:
    """Give the sizes, stored and inflated, of an entry that tells them in 64 bits; (-1, -1): it tells none."""
    while len(extra) >= 4:  # noqa: PLR2004
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1 and length >= 16 and len(extra) >= 20:  # noqa: PLR2004
            size, stored = struct.unpack_from("<QQ", extra, 4)
            return stored, size
        extra = extra[4 + length :]
    return -1, -1


def _skip_descriptor(file: BinaryIO, entry: Entry, end: int, damaged: PackageInvalid) -> int:
    file.seek(end)
    tail = file.read(_LONG_DESCRIPTOR.size)
    for shape in (_DESCRIPTOR, _LONG_DESCRIPTOR):
        expected = shape.pack(b"PK\x07\x08", entry.crc, *_fitting(shape, entry))
        following = tail[shape.size : shape.size + 2]
        if tail.startswith(expected) and (following in (b"PK", b"") or shape is _LONG_DESCRIPTOR):
            return end + shape.size
    raise damaged


def _fitting(shape: struct.Struct, entry: Entry) -> tuple[int, int]:
    return (entry.stored & _FULL, entry.size & _FULL) if shape is _DESCRIPTOR else (entry.stored, entry.size)


def blocks(file: BinaryIO, member: Member, *, what: str) -> Iterator[bytes]:
    """Give the bytes of a member in blocks; at the end its size and CRC have been checked."""
    crc, left = 0, member.size
    for block in _raw(file, member) if member.method == STORED else _inflated(file, member, what=what):
        crc = zlib.crc32(block, crc)
        left -= len(block)
        yield block
    if left or crc != member.crc:
        raise PackageInvalid(f"{what}: {_shown(member.name)} is damaged (its checksum is wrong); save it again")


def read(file: BinaryIO, member: Member, *, most: int, what: str) -> bytes:
    """Give all bytes of a member of at most so many."""
    if member.size > most:
        raise PackageInvalid(
            f"{what}: {_shown(member.name)} has {member.size:,} bytes, more than the {most:,} it may have"
        )
    return b"".join(blocks(file, member, what=what))


def _raw(file: BinaryIO, member: Member) -> Iterator[bytes]:
    left = member.stored
    file.seek(member.offset)
    while left and (block := file.read(min(left, BLOCK_BYTES))):
        left -= len(block)
        yield block
        # Two members may be read in turns.
        file.seek(member.offset + member.stored - left)


def _inflated(file: BinaryIO, member: Member, *, what: str) -> Iterator[bytes]:
    damaged = PackageInvalid(f"{what}: {_shown(member.name)} is damaged (it does not inflate); pack it again")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    # One byte more than told, so that a member which holds more is seen at once.
    allowed = member.size + 1
    for block in _raw(file, member):
        data = block
        while not inflater.eof:
            try:
                part = inflater.decompress(data, min(allowed, BLOCK_BYTES))
            except zlib.error as error:
                raise damaged from error
            allowed -= len(part)
            if not allowed:
                raise damaged
            yield part
            data = inflater.unconsumed_tail
            # With its input used up it may still hold back what did not fit the last part.
            if not part and not data:
                break
        if inflater.unused_data:
            raise damaged
    if not inflater.eof:
        raise damaged
