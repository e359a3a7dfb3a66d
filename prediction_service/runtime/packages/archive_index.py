"""The directory of a zip file, from its end."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from shared.errors import PackageInvalid

STORED = 0
_END = struct.Struct("<4sHHHHIIH")
_LONG_LOCATOR = struct.Struct("<4sIQI")
_LONG_END = struct.Struct("<4sQHHIIQQQQ")
_ENTRY = struct.Struct("<4sBBHHHHHIIIHHHHHII")
_LONG_FIELDS = 1
_MOST_ENTRY_BYTES = 2048
"""Far more than name and extra fields of any entry that is allowed."""
_FULL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the directory."""

    name: str
    raw_name: bytes
    header: int
    """Where its own header begins."""
    flags: int
    method: int
    crc: int
    stored: int
    size: int
    attributes: int
    """Of the file system: the Unix mode in the upper half."""


def read_index(file: BinaryIO, size: int, *, most: int, what: str) -> tuple[list[Entry], int]:
    """Give the entries of the directory, and where it begins; it must end with the file."""
    damaged = PackageInvalid(
        f"{what} is no complete zip file, as torch.save and model.save write it: cut off, or with bytes behind its end"
    )
    if size < _END.size:
        raise damaged
    file.seek(size - _END.size)
    mark, disk, first_disk, here, total, length, start, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\x05\x06" or disk or first_disk or here != total or comment:
        raise damaged
    end = size - _END.size
    found = _long_end(file, end, damaged)
    if found is not None:
        plain = (total, length, start)
        total, length, start, end = found
        # Where both tell a figure, some readers take the one and some the other.
        if any(
            short not in (long, full)
            for short, long, full in zip(plain, found[:3], (0xFFFF, _FULL, _FULL), strict=True)
        ):
            raise damaged
    if total > most:
        raise PackageInvalid(f"{what} has {total:,} entries, more than the {most:,} any model has")
    if start + length != end or length > total * _MOST_ENTRY_BYTES:
        raise damaged
    file.seek(start)
    return _entries(file.read(length), total, damaged), start


def _long_end(file: BinaryIO, end: int, damaged: PackageInvalid) -> tuple[int, int, int, int] | None:
    """Give number, length, start of a directory told in 64 bits, and where its record begins."""
    at = end - _LONG_LOCATOR.size
    if at < _LONG_END.size:
        return None
    file.seek(at)
    mark, disk, where, disks = _LONG_LOCATOR.unpack(file.read(_LONG_LOCATOR.size))
    if mark != b"PK\x06\x07":
        return None
    if disk or disks != 1 or where != at - _LONG_END.size:
        raise damaged
    file.seek(where)
    record = _LONG_END.unpack(file.read(_LONG_END.size))
    mark, length, _, _, disk, first_disk, here, total, size, start = record
    if mark != b"PK\x06\x06" or length != _LONG_END.size - 12 or disk or first_disk or here != total:
        raise damaged
    return total, size, start, where


def _entries(directory: bytes, total: int, damaged: PackageInvalid) -> list[Entry]:
    entries = []
    at = 0
    for _ in range(total):
        if at + _ENTRY.size > len(directory):
            raise damaged
        fields = _ENTRY.unpack_from(directory, at)
        mark, flags, method, crc, stored, size = fields[0], fields[4], fields[5], fields[8], fields[9], fields[10]
        name_length, extra_length, comment_length, disk, _, attributes, header = fields[11:]
        name_at = at + _ENTRY.size
        extra_at = name_at + name_length
        at = extra_at + extra_length + comment_length
        if mark != b"PK\x01\x02" or comment_length or disk or at > len(directory):
            raise damaged
        raw_name = directory[name_at:extra_at]
        try:
            stored, size, header = _long_fields(directory[extra_at:at], stored, size, header)
            name = raw_name.decode()
        except (struct.error, UnicodeDecodeError) as error:
            raise damaged from error
        entries.append(
            Entry(
                name=name,
                raw_name=raw_name,
                header=header,
                flags=flags,
                method=method,
                crc=crc,
                stored=stored,
                size=size,
                attributes=attributes,
            )
        )
    if at != len(directory):
        raise damaged
    return entries


def _long_fields(extra: bytes, stored: int, size: int, header: int) -> tuple[int, int, int]:
    """Give the three figures, from 64 bits where 32 do not hold them."""
    if _FULL not in (stored, size, header):
        return stored, size, header
    while extra:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == _LONG_FIELDS:
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra, 4))
            size, stored, header = (next(values, _FULL) if told == _FULL else told for told in (size, stored, header))
            break
        extra = extra[4 + length :]
    return stored, size, header
