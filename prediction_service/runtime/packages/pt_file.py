"""The forecaster's file: its tensors and its plain description, read without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prediction_service.runtime.packages.pickles import TensorClaim
from prediction_service.runtime.packages.tensors import TensorSpec, read_saved, spec
from shared.errors import PackageInvalid

NAME = "forecast_model.pt"
COMPILED_PREFIX = "_orig_mod."
"""What torch.compile puts before the names of a module it wraps."""
_REMEDY = "save it with torch.save(model.state_dict(), 'forecast_model.pt') of a current torch"
_FULL_KEYS = {"format", "config", "state_dict"}
_MOST_VALUES = 2000
_DEEPEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PtFile:
    """What a file of a forecaster says."""

    format: str | None
    """Like patchtst/1; None: a bare state_dict, which says nothing."""
    config: dict[str, Any]
    """Plain values; empty for a bare state_dict."""
    tensors: dict[str, TensorSpec]
    """Of the state_dict, in its order, names without what torch.compile adds."""


def read_pt(path: Path) -> PtFile:
    """Read a forecaster's file; PackageInvalid: it is unsafe, damaged or something else."""
    with path.open("rb") as file:
        content = read_saved(file, what=NAME, remedy=_REMEDY)
    if type(content) is not dict:
        raise PackageInvalid(f"{NAME} holds no dictionary of tensors; {_REMEDY}")
    name, config, state = None, {}, content
    if "state_dict" in content:
        if set(content) != _FULL_KEYS:
            extra = ", ".join(ascii(key[:60]) for key in sorted(map(str, set(content) ^ _FULL_KEYS))[:5])
            raise PackageInvalid(f"{NAME} must hold exactly format, config and state_dict (differs in {extra})")
        name, config, state = content["format"], content["config"], content["state_dict"]
        if type(name) is not str or type(config) is not dict:
            raise PackageInvalid(f"{NAME}: format must be a text and config a dictionary of plain values")
        config = _Plain().copy(config)
    return PtFile(format=name, config=config, tensors=read_state(state, what=NAME, remedy=_REMEDY))


def read_state(state: Any, *, what: str, remedy: str) -> dict[str, TensorSpec]:
    """Give the tensors of a state_dict by name."""
    if type(state) is not dict or not state:
        raise PackageInvalid(f"{what} holds no state_dict; {remedy}")
    tensors: dict[str, TensorSpec] = {}
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, TensorClaim):
            raise PackageInvalid(f"{what} holds {str(name)[:80]!a}, which is no tensor; {remedy}")
        plain = name.removeprefix(COMPILED_PREFIX)
        if plain in tensors or not plain.isprintable() or len(plain) > 200:  # noqa: PLR2004
            raise PackageInvalid(f"{what} holds {plain[:80]!a} twice, or under a name that no layer has; {remedy}")
        tensors[plain] = spec(value)
    return tensors


class _Plain:
    """Copies plain values, so many at most: what a pickle holds may hold itself."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def copy(self, value: Any, depth: int = 0) -> Any:
        """Give a copy that is a tree, tuples as lists."""
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise PackageInvalid(
                f"{NAME}: config has more than {_MOST_VALUES} values, or deeper than {_DEEPEST} levels"
            )
        if isinstance(value, dict):
            # transformers numbers the labels that every config of its has.
            if not all(isinstance(key, str | int) for key in value):
                raise PackageInvalid(f"{NAME}: the keys of config must be texts or numbers")
            return {str(key): self.copy(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.copy(inner, depth + 1) for inner in value]
        if value is None or isinstance(value, str | bool | int | float):
            return value
        raise PackageInvalid(f"{NAME}: config must hold plain values only: numbers, texts, lists")
