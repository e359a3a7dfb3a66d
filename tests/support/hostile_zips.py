"""Zip files and pickles of torch taken apart, changed and put together again, as an attacker would."""

import os
import pickle
import random
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np


def unpacked(data: bytes) -> dict[str, bytes]:
    """Give the members of a zip."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: dict[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Give a zip of these members."""
    return packed_entries([(zipfile.ZipInfo(name), data) for name, data in members.items()], method=method)


def packed_entries(entries: list[tuple[zipfile.ZipInfo, bytes]], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Give a zip of these entries, however odd they are."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Duplicate name")
        for info, data in entries:
            archive.writestr(info, data, compress_type=method)
    return file.getvalue()


def with_member(data: bytes, name: str, content: bytes, *, mode: int = stat.S_IFREG | 0o644, **fields: int) -> bytes:
    """Add an entry to a zip."""
    extra = zipfile.ZipInfo(name)
    extra.external_attr = mode << 16
    for field, value in fields.items():
        setattr(extra, field, value)
    return packed_entries([*((zipfile.ZipInfo(old), held) for old, held in unpacked(data).items()), (extra, content)])


def changed(data: bytes, change: Callable[[dict[str, bytes]], Any], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Give a zip with its members changed in place, all checksums right."""
    members = unpacked(data)
    change(members)
    return packed(members, method=method)


def changed_policy(data: bytes, change: Callable[[dict[str, bytes]], Any]) -> bytes:
    """Change the members of policy.pth in a policy's file."""
    return changed(data, lambda members: members.update({"policy.pth": changed(members["policy.pth"], change)}))


def flipped(data: bytes, at: int) -> bytes:
    """Turn one bit round."""
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def flipped_in(data: bytes, content: bytes) -> bytes:
    """Turn one bit round in the midst of a content that lies open in the file."""
    return flipped(data, data.index(content) + len(content) // 2)


def directory_of(data: bytes) -> int:
    """Give where the directory of a zip begins."""
    return int.from_bytes(data[-6:-2], "little")


def directory_field(data: bytes, at: int, shape: str, value: int, *, entry: int = 0) -> bytes:
    """Change one field of an entry of the directory."""
    place = directory_of(data) - 1
    for _ in range(entry + 1):
        place = data.index(b"PK\x01\x02", place + 1)
    return data[: place + at] + struct.pack(shape, value) + data[place + at + struct.calcsize(shape) :]


def overlapping(data: bytes) -> bytes:
    """Let the second entry of the directory point at the bytes of the first."""
    first, second = (zipfile.ZipFile(BytesIO(data)).infolist()[index] for index in (0, 1))
    for at, value in ((16, first.CRC), (20, first.compress_size), (24, first.file_size), (42, first.header_offset)):
        data = directory_field(data, at, "<I", value, entry=1)
    assert second.filename != first.filename
    return data


class Running:
    """A thing whose pickle runs code; what it would do here is to make an empty file."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


def touching(marker: Path) -> Running:
    """Give a thing that makes a file by a shell."""
    return Running(os.system, f"touch {marker}")


def executing(marker: Path) -> Running:
    """Give a thing that makes a file by code of Python."""
    return Running(exec, f"open({str(marker)!r}, 'w').close()")


def torch_zip(pickled: bytes, records: dict[str, bytes] | None = None) -> bytes:
    """Give a file as torch.save writes it, of any pickle and records."""
    inside = {"data.pkl": pickled, "version": b"3\n", "byteorder": b"little"}
    inside |= {f"data/{key}": content for key, content in (records or {}).items()}
    return packed({f"archive/{name}": content for name, content in inside.items()})


class _Tensors(pickle.Pickler):
    """Writes `Claimed` as torch writes tensors."""

    def persistent_id(self, thing: Any) -> Any:
        return thing.claim if isinstance(thing, _Storage) else None

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, Claimed):
            from torch._utils import _rebuild_tensor_v2

            return _rebuild_tensor_v2, (_Storage(thing), thing.offset, thing.shape, thing.stride, False, {})
        return NotImplemented


class _Storage:
    def __init__(self, of: "Claimed") -> None:
        import torch

        self.claim = ("storage", getattr(torch, of.kind), of.key, "cpu", of.elements)


class Claimed:
    """A tensor that claims whatever it likes."""

    def __init__(self, shape: tuple[int, ...], stride: tuple[int, ...], *, key: str = "0", offset: int = 0,
                 elements: int = 1, kind: str = "FloatStorage") -> None:  # fmt: skip
        self.shape, self.stride, self.key, self.offset = shape, stride, key, offset
        self.elements, self.kind = elements, kind


def pickled(content: Any, *, protocol: int = 2) -> bytes:
    """Pickle a content that may hold `Claimed`."""
    file = BytesIO()
    _Tensors(file, protocol=protocol).dump(content)
    return file.getvalue()


def claiming(records: dict[str, bytes] | None = None, **tensors: Claimed) -> bytes:
    """Give a file of such tensors; one record of one zero unless told."""
    return torch_zip(pickled(dict(tensors)), {"0": bytes(4)} if records is None else records)


def with_number(data: bytes, number: float, *, record: str = "data/0") -> bytes:
    """Put a number in the place of the first float32 of a record, the checksum right."""

    def put(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith(record))
        members[name] = np.float32(number).tobytes() + members[name][4:]

    return changed(data, put)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Change bits, take bytes out, put bytes in, say some twice, or cut the end off."""
    places = sorted(chance.randrange(len(data)) for _ in range(2))
    start, end = places[0], min(places[1], places[0] + 64)
    match chance.randrange(6):
        case 0 | 1:
            return data[:start] + bytes([data[start] ^ (1 << chance.randrange(8))]) + data[start + 1 :]
        case 2:
            return data[:start] + chance.randbytes(end - start) + data[end:]
        case 3:
            return data[:start] + data[end:]
        case 4:
            return data[:end] + data[start:end] + data[end:]
    return data[:start]


def mutated_pickle(data: bytes, chance: random.Random) -> bytes:
    """Change the pickle of a file of torch, its checksum made right again."""

    def apply(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith("/data.pkl"))
        members[name] = mutated(members[name], chance)

    return changed(data, apply)


def mutated_policy(data: bytes, chance: random.Random) -> bytes:
    """Change the pickle in policy.pth, or its description, the checksums made right again."""
    if chance.random() < 0.3:
        return changed(data, lambda members: members.update(data=mutated(members["data"], chance)))

    def apply(members: dict[str, bytes]) -> None:
        members["archive/data.pkl"] = mutated(members["archive/data.pkl"], chance)

    return changed_policy(data, apply)
