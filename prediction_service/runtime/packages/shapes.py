"""Tensors by name, their shapes compared with those a network needs."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from shared.errors import PackageInvalid

Shape = tuple[int, ...]
_COMPILED = "_orig_mod."
Value = TypeVar("Value")


def plain_names(tensors: Mapping[str, Value], *, of: str) -> dict[str, Value]:
    """Give tensors under the names they have in a model that torch did not compile.

    >>> plain_names({"_orig_mod.head.1.weight": 1}, of="The forecaster")
    {'head.1.weight': 1}
    """
    plain = {name.replace(_COMPILED, ""): tensor for name, tensor in tensors.items()}
    if len(plain) < len(tensors):
        raise PackageInvalid(f"{of} has a tensor twice, with and without {_COMPILED}; save the state_dict of one model")
    return plain


def check_shapes(
    found: Mapping[str, Shape], needed: Mapping[str, Shape], *, of: str, why: Callable[[str], str]
) -> None:
    """Refuse tensors that are missing, unknown or of another shape; `why` says what makes a shape necessary."""
    for name, shape in needed.items():
        if name not in found:
            raise PackageInvalid(f"{of} has no {name}{why(name)}")
        if found[name] != shape:
            raise PackageInvalid(f"{name} of {_inside(of)} has shape {found[name]}, needed is {shape}{why(name)}")
    unknown = sorted(found.keys() - needed.keys())
    if unknown:
        raise PackageInvalid(f"{of} has a tensor {unknown[0]!r:.120} that its layout does not know; nothing is skipped")


def _inside(name: str) -> str:
    return name[0].lower() + name[1:]
