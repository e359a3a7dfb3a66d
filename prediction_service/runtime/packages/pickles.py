"""Pickles of torch read as data: a small machine that knows the few operations such files need, and calls nothing."""

import math
import struct
from dataclasses import dataclass
from typing import Any, TypeVar

from prediction_service.runtime.packages.opcodes import UnknownOperation, read_operations
from shared.errors import PackageInvalid

MOST_BYTES = 4 << 20
MOST_OPERATIONS = 200_000
"""A tensor takes about thirty."""
MOST_TEXT = 4096
"""Characters of one text."""
DTYPES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}
"""The type of the elements of each storage class."""
_DICTIONARY = "collections.OrderedDict"
_TENSOR = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_KNOWN = {_DICTIONARY, _TENSOR, _PARAMETER, *DTYPES}
_PROTOCOL = 2
_MOST_DIMENSIONS = 64
"""torch has no more."""
_TAKEN = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "APPEND": 1, "SETITEM": 2, "BINPERSID": 1, "REDUCE": 2, "BUILD": 1}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageClaim:
    """A storage as the pickle tells it."""

    key: str
    """Name of its record."""
    dtype: str
    elements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorClaim:
    """A tensor as the pickle tells it: a view of a storage, counted in elements."""

    storage: StorageClaim
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    """A class or function by its name; nothing is imported."""

    dotted: str


def read_pickle(data: bytes, *, what: str, remedy: str) -> Any:
    """Give what a pickle of torch holds: dictionaries, lists, tuples, plain values and TensorClaim.

    Whatever else it names is refused by that name, unread. Lists and dictionaries may hold each other more than once,
    even themselves. `what` names the file and `remedy` what to do in the sentence of a refusal.
    """
    if len(data) > MOST_BYTES:
        raise PackageInvalid(
            f"{what} describes its tensors in {len(data):,} bytes, more than the {MOST_BYTES:,} of any model"
        )
    machine = _Machine(what, remedy)
    try:
        for count, (operation, argument) in enumerate(read_operations(data)):
            if count >= MOST_OPERATIONS:
                raise PackageInvalid(f"{what} describes its tensors in more steps than any model needs; {remedy}")
            machine.step(operation, argument)
        return machine.result()
    except UnknownOperation as error:
        raise PackageInvalid(f"{what} holds the operation {error}, which no state_dict needs; {remedy}") from error
    except (ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        raise PackageInvalid(f"{what} is damaged: the description of its tensors cannot be read; {remedy}") from error


class _Machine:
    """Stack and memo of one pickle; ValueError and its kin: the pickle is none that torch writes."""

    def __init__(self, what: str, remedy: str) -> None:
        self._what = what
        self._remedy = remedy
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        """The stacks below each mark."""
        self._memo: dict[int, Any] = {}

    def step(self, operation: str, argument: Any) -> None:
        """Do one operation."""
        stack = self._stack
        match operation:
            case "PROTO":
                self._check_protocol(argument)
            case "STOP":
                pass
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[operation])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                stack.append(_number(argument))
            case "BINUNICODE":
                stack.append(_text(argument))
            case "MARK":
                self._below.append(stack)
                self._stack = []
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "GLOBAL":
                stack.append(self._name(argument))
            case _:
                self._combine(operation)

    def _combine(self, operation: str) -> None:
        """Do an operation that makes one thing of several."""
        taken = self._take(operation)
        match operation:
            case "TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3" | "EMPTY_TUPLE":
                self._stack.append(tuple(taken))
            case "EMPTY_DICT":
                self._stack.append({})
            case "EMPTY_LIST":
                self._stack.append([])
            case "APPEND" | "APPENDS":
                _as(list, self._stack[-1]).extend(taken)
            case "SETITEM" | "SETITEMS":
                _fill(_as(dict, self._stack[-1]), taken)
            case "BINPERSID":
                self._stack.append(_storage(*taken))
            case "REDUCE":
                self._stack.append(_call(*taken))
            case "BUILD":
                # Modules note versions of their layers at their state_dict; nothing here reads them.
                _as(dict, self._stack[-1])
                if set(_as(dict, taken[0])) != {"_metadata"}:
                    raise ValueError("a state that no state_dict has")

    def _take(self, operation: str) -> list[Any]:
        if operation in {"TUPLE", "APPENDS", "SETITEMS"}:
            taken, self._stack = self._stack, self._below.pop()
            return taken
        first = len(self._stack) - _TAKEN.get(operation, 0)
        if first < 0:
            raise ValueError("the stack is empty")
        taken = self._stack[first:]
        del self._stack[first:]
        return taken

    def _check_protocol(self, protocol: int) -> None:
        if protocol != _PROTOCOL:
            raise PackageInvalid(
                f"{self._what} is pickled with protocol {protocol}, torch reads no other than {_PROTOCOL} safely: "
                f"leave out pickle_protocol; {self._remedy}"
            )

    def _name(self, dotted: str) -> _Name:
        if dotted in _KNOWN:
            return _Name(dotted)
        shown = ascii(dotted[:120])[1:-1]
        if dotted.startswith(("torch.nn.", "__main__.")):
            raise PackageInvalid(
                f"{self._what} is a whole pickled module ({shown}), which is never loaded; {self._remedy}"
            )
        raise PackageInvalid(
            f"{self._what} names {shown}, which is never loaded: only tensors and plain values are read; {self._remedy}"
        )

    def result(self) -> Any:
        """Give what is left on the stack at the end."""
        if len(self._stack) != 1 or self._below:
            raise ValueError("more than one thing")
        return self._stack[0]


def _as(kind: type[_T], value: Any) -> _T:
    if type(value) is not kind:
        raise ValueError(f"no {kind.__name__}")
    return value


def _number(value: float) -> float:
    if abs(value) >= 1 << 63 if isinstance(value, int) else not math.isfinite(value):
        raise ValueError("a number out of range")
    return value


def _text(value: str) -> str:
    # Encoded, since lone surrogates have no place in any answer.
    if len(value.encode()) > MOST_TEXT or "\0" in value:
        raise ValueError("a text out of range")
    return value


def _fill(dictionary: dict[Any, Any], taken: list[Any]) -> None:
    for key, value in zip(taken[::2], taken[1::2], strict=True):
        if type(key) not in (str, int):
            raise ValueError("a key that is neither text nor whole number")
        if key in dictionary:
            raise ValueError("a key twice")
        dictionary[key] = value


def _storage(claim: Any) -> StorageClaim:
    kind, name, key, _, elements = _as(tuple, claim)
    if kind != "storage":
        raise ValueError("no storage")
    return StorageClaim(key=_as(str, key), dtype=DTYPES[_as(_Name, name).dotted], elements=_count(elements))


def _call(function: Any, arguments: Any) -> Any:
    arguments = _as(tuple, arguments)
    match _as(_Name, function).dotted:
        case name if name == _DICTIONARY and not arguments:
            return {}
        case name if name == _TENSOR and len(arguments) == 6 and arguments[5] == {}:  # noqa: PLR2004
            storage, offset, shape, stride = arguments[:4]
            return TensorClaim(
                storage=_as(StorageClaim, storage),
                offset=_count(offset),
                shape=_sizes(shape),
                stride=_sizes(stride),
            )
        case name if name == _PARAMETER and len(arguments) == 3 and arguments[2] == {}:  # noqa: PLR2004
            return _as(TensorClaim, arguments[0])
    raise ValueError("a call that torch does not write")


def _sizes(value: Any) -> tuple[int, ...]:
    # One long tuple may be named again and again, at the cost of a byte each.
    if len(_as(tuple, value)) > _MOST_DIMENSIONS:
        raise ValueError("more dimensions than a tensor has")
    return tuple(map(_count, value))


def _count(value: Any) -> int:
    if _as(int, value) < 0:
        raise ValueError("a size below 0")
    return int(value)
