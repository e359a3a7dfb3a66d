"""Files of torch.save, read without torch: what tensors they hold, and whether every number is finite.

torch checks no checksum, and believes a few bytes that claim billions of elements. Here a tensor must lie within its
record, and each record must be as long as the tensors say.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from prediction_service.runtime.packages import archive
from prediction_service.runtime.packages.archive import BLOCK_BYTES, Bounds, Member
from prediction_service.runtime.packages.archive_index import STORED
from prediction_service.runtime.packages.pickles import MOST_BYTES, StorageClaim, TensorClaim, read_pickle
from shared.errors import PackageInvalid

MOST_TENSORS = 4096
MOST_DIMENSIONS = 8
MOST_NAMES_OF_ONE_ELEMENT = 4
"""Tensors may share storage, as tied weights do."""
SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
"""Bytes of one element."""
_RECORD = re.compile(r"data/(0|[1-9][0-9]{0,5})")
_SMALL = {"version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"}
_SCRIPT = ("code/", "constants.pkl", "constants/", "extra/")
_MOST_SMALL_BYTES = 256
_OLD_FILE = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """What a tensor is."""

    dtype: str
    """Like float32."""
    shape: tuple[int, ...]


def read_saved(file: BinaryIO, *, what: str, remedy: str) -> Any:
    """Give what a file of torch.save holds: dictionaries, lists, plain values, and TensorClaim in the place of tensors.

    Every storage has been read: its checksum is right and its numbers are finite.
    """
    content, members = _read_content(file, what=what, remedy=remedy)
    named = list(_tensors(content, what=what))
    _check_records(file, named, {n: m for n, m in members.items() if _RECORD.fullmatch(n)}, what=what, remedy=remedy)
    return content


def _read_content(file: BinaryIO, *, what: str, remedy: str) -> tuple[Any, dict[str, Member]]:
    _refuse_other_kinds(file, what=what, remedy=remedy)
    bounds = Bounds(entries=MOST_TENSORS + 16, inflated=2 * file.seek(0, os.SEEK_END) + BLOCK_BYTES)
    members = _members_of_torch(archive.read_members(file, bounds, what=what), what=what, remedy=remedy)
    for name in _SMALL & members.keys():
        text = archive.read(file, members[name], most=_MOST_SMALL_BYTES, what=what)
        if name == "byteorder" and text != b"little":
            raise PackageInvalid(f"{what} was saved on a machine of other byte order; {remedy}")
    pickled = archive.read(file, members["data.pkl"], most=MOST_BYTES, what=what)
    return read_pickle(pickled, what=what, remedy=remedy), members


def check_names(file: BinaryIO, *, what: str, remedy: str) -> None:
    """Refuse a file of torch.save that names anything but tensors and plain values; its numbers are not looked at."""
    _read_content(file, what=what, remedy=remedy)


def spec(claim: TensorClaim) -> TensorSpec:
    """Give what a claimed tensor is."""
    return TensorSpec(dtype=claim.storage.dtype, shape=claim.shape)


def _refuse_other_kinds(file: BinaryIO, *, what: str, remedy: str) -> None:
    file.seek(0)
    head = file.read(len(_OLD_FILE))
    if not head:
        raise PackageInvalid(f"{what} is empty; {remedy}")
    if head == _OLD_FILE:
        raise PackageInvalid(f"{what} is in the format of torch before 1.6, which is a bare pickle; {remedy}")
    if head[:1] == b"\x80":
        raise PackageInvalid(f"{what} is a bare pickle, which is never loaded; {remedy}")


def _members_of_torch(members: dict[str, Member], *, what: str, remedy: str) -> dict[str, Member]:
    """Give the members without the folder that torch puts them in."""
    folder = next(iter(members), "").partition("/")[0] + "/"
    inner = {}
    for name, member in members.items():
        short = name.removeprefix(folder)
        if short.startswith(_SCRIPT):
            raise PackageInvalid(f"{what} is a TorchScript program, which is never run; {remedy}")
        if short == name or not (short == "data.pkl" or short in _SMALL or _RECORD.fullmatch(short)):
            raise PackageInvalid(f"{what} holds {name[:80]!a}, which torch.save never writes; {remedy}")
        if member.method != STORED:
            raise PackageInvalid(f"{what} is compressed, which torch.save never does; {remedy}")
        inner[short] = member
    if "data.pkl" not in inner:
        raise PackageInvalid(f"{what} is no file of torch.save; {remedy}")
    return inner


def _tensors(content: Any, *, what: str) -> Iterator[tuple[str, TensorClaim]]:
    """Give the tensors with the names they are found at; a container that is held twice is entered once."""
    entered: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", content)]
    found = 0
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, TensorClaim):
            found += 1
            if found > MOST_TENSORS:
                raise PackageInvalid(f"{what} holds more than {MOST_TENSORS:,} tensors, which no model does")
            yield path, value
        elif isinstance(value, dict | list | tuple) and id(value) not in entered:
            entered.add(id(value))
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            waiting.extend((f"{path}.{key}"[:200] if path else str(key), inner) for key, inner in pairs)


def _check_records(
    file: BinaryIO, tensors: list[tuple[str, TensorClaim]], records: dict[str, Member], *, what: str, remedy: str
) -> None:
    storages: dict[str, tuple[str, StorageClaim]] = {}
    claimed = 0
    for name, tensor in tensors:
        _check_view(name, tensor, what=what)
        claimed += math.prod(tensor.shape)
        _, first = storages.setdefault(f"data/{tensor.storage.key}", (name, tensor.storage))
        if first != tensor.storage:
            raise PackageInvalid(f"{what} tells two sizes of the numbers of {name!a}; {remedy}")
    if claimed > MOST_NAMES_OF_ONE_ELEMENT * sum(storage.elements for _, storage in storages.values()):
        raise PackageInvalid(f"{what} has tensors that claim more numbers than it holds; {remedy}")
    for record in storages.keys() - records.keys():
        raise PackageInvalid(f"{what} lacks the numbers of {storages[record][0]!a}; {remedy}")
    for record in records.keys() - storages.keys():
        raise PackageInvalid(f"{what} holds {record}, which is no part of any tensor; {remedy}")
    for record, (name, storage) in storages.items():
        if records[record].size != storage.elements * SIZES[storage.dtype]:
            raise PackageInvalid(f"{what} has other than the {storage.elements:,} numbers told for {name!a}; {remedy}")
    for record, (name, storage) in storages.items():
        for block in archive.blocks(file, records[record], what=what):
            _check_numbers(block, storage.dtype, name=name, what=what)


def _check_view(name: str, tensor: TensorClaim, *, what: str) -> None:
    """Refuse a tensor that is not wholly within its storage, or repeats elements of it."""
    if len(tensor.shape) > MOST_DIMENSIONS or len(tensor.shape) != len(tensor.stride):
        raise PackageInvalid(f"{what}: {name!a} has a shape that no layer has")
    last = tensor.offset
    for size, stride in zip(tensor.shape, tensor.stride, strict=True):
        if size > 1 and stride == 0:
            raise PackageInvalid(
                f"{what}: {name!a} repeats its numbers (an expanded tensor); save it with .contiguous()"
            )
        last += max(size - 1, 0) * stride
    elements = math.prod(tensor.shape)
    if elements > tensor.storage.elements or (elements and last >= tensor.storage.elements):
        raise PackageInvalid(
            f"{what}: {name!a} claims {elements:,} numbers of the {tensor.storage.elements:,} there are"
        )


def _check_numbers(block: bytes, dtype: str, *, name: str, what: str) -> None:
    match dtype:
        case "float64" | "float32" | "float16":
            fine = np.isfinite(np.frombuffer(block, np.dtype(dtype).newbyteorder("<"))).all()
        case "bfloat16":
            # The upper half of a float32: infinite and NaN have all bits of the exponent set.
            fine = ((np.frombuffer(block, "<u2") & 0x7F80) != 0x7F80).all()  # noqa: PLR2004
        case "bool":
            fine = (np.frombuffer(block, np.uint8) <= 1).all()
        case _:
            return
    if not fine:
        raise PackageInvalid(f"{what}: {name!a} holds a number that is not finite; its training has diverged")
