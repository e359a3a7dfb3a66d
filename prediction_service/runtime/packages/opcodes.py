"""The operations of pickles that a state_dict needs, taken apart. Nothing is done here, and no other is read on."""

import pickletools  # nosec B403 # reads opcodes, runs none
import struct
from collections.abc import Iterator
from typing import Any

_PLAIN = {
    b".": "STOP", b"(": "MARK", b"N": "NONE", b"\x88": "NEWTRUE", b"\x89": "NEWFALSE",
    b")": "EMPTY_TUPLE", b"}": "EMPTY_DICT", b"]": "EMPTY_LIST", b"t": "TUPLE", b"\x85": "TUPLE1", b"\x86": "TUPLE2",
    b"\x87": "TUPLE3", b"a": "APPEND", b"e": "APPENDS", b"s": "SETITEM", b"u": "SETITEMS",
    b"Q": "BINPERSID", b"R": "REDUCE", b"b": "BUILD",
}  # fmt: skip
_FIXED = {
    b"\x80": ("PROTO", "<B"), b"J": ("BININT", "<i"), b"K": ("BININT1", "<B"),
    b"M": ("BININT2", "<H"), b"G": ("BINFLOAT", ">d"), b"q": ("BINPUT", "<B"), b"r": ("LONG_BINPUT", "<I"),
    b"h": ("BINGET", "<B"), b"j": ("LONG_BINGET", "<I"),
}  # fmt: skip
_COUNTED = {b"X": ("BINUNICODE", "<I"), b"\x8a": ("LONG1", "<B")}


class UnknownOperation(Exception):
    """An operation that no state_dict needs, by its name."""


def read_operations(data: bytes) -> Iterator[tuple[str, Any]]:
    """Give the operations with their arguments, to the end of the data.

    ValueError or struct.error: it is no whole pickle, or has bytes behind its end.
    """
    at, name = 0, ""
    while name != "STOP":
        code, at = data[at : at + 1], at + 1
        argument: Any = None
        if code in _PLAIN:
            name = _PLAIN[code]
        elif code in _FIXED:
            name, shape = _FIXED[code]
            (argument,) = struct.unpack_from(shape, data, at)
            at += struct.calcsize(shape)
        elif code in _COUNTED:
            name, shape = _COUNTED[code]
            (length,) = struct.unpack_from(shape, data, at)
            at += struct.calcsize(shape) + length
            argument = _counted(name, data[at - length : at], length)
        elif code == b"c":
            name = "GLOBAL"
            middle = data.index(b"\n", at)
            end = data.index(b"\n", middle + 1)
            argument, at = f"{data[at:middle].decode()}.{data[middle + 1 : end].decode()}", end + 1
        else:
            raise UnknownOperation(_name(code))
        yield name, argument
    if at != len(data):
        raise ValueError("bytes behind the end")


def _counted(name: str, content: bytes, length: int) -> int | str:
    if len(content) != length:
        raise ValueError("cut off")
    if name == "LONG1":
        return int.from_bytes(content, "little", signed=True)
    return content.decode()


def _name(code: bytes) -> str:
    for operation in pickletools.opcodes:
        if operation.code == code.decode("latin-1"):
            return operation.name
    raise ValueError("no operation")
