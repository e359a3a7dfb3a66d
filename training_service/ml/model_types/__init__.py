"""The kinds of models: each is one module of this package that names a `KIND`, found by looking through it."""

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from shared.errors import Invalid
from training_service.ml.model_types.kind import THREADS, ModelType, Parameter, Range, Value

__all__ = [
    "MODEL_TYPES",
    "THREADS",
    "ModelType",
    "Parameter",
    "Range",
    "Value",
    "find_kind",
    "load_libraries",
    "make_estimator",
    "resolve_parameters",
]


def _look_through() -> dict[str, ModelType]:
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    kinds = [module.KIND for module in modules if hasattr(module, "KIND")]
    return {kind.name: kind for kind in sorted(kinds, key=lambda kind: str(kind.name))}


MODEL_TYPES: Mapping[str, ModelType] = _look_through()


def find_kind(name: str) -> ModelType:
    """Give the kind of that name; an unknown one is an `Invalid` that lists all."""
    if name in MODEL_TYPES:
        return MODEL_TYPES[name]
    near = difflib.get_close_matches(name, MODEL_TYPES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise Invalid(
        f"there is no model type {name[:100]!r}: it is one of {', '.join(MODEL_TYPES)}{hint}", pointer="/model_type"
    )


def resolve_parameters(model_type: str, asked: Mapping[str, object]) -> dict[str, Value]:
    """Give the complete hyper-parameters; an unknown name or an impossible value is an `Invalid` that says more."""
    kind = find_kind(model_type)
    resolved = kind.defaults
    for name, value in asked.items():
        parameter = kind.parameter(name, pointer="/params")
        if not parameter.accepts(value):
            raise Invalid(f"{name} of {model_type} must be {parameter.allowed}", pointer=f"/params/{name}")
        resolved[name] = parameter.exact(value)
    return resolved


def load_libraries(model_type: str) -> None:
    """Load what fitting and exporting need, which takes seconds, by doing both once with a few rows."""
    kind = find_kind(model_type)
    few = {name: 1 for name in kind.parameters if name == "n_estimators"}
    native = kind.make({**kind.defaults, **few}, 0)
    native.fit(np.arange(128, dtype=np.float32).reshape(64, 2), np.arange(64) % 2)
    kind.export(native, 2)


def make_estimator(model_type: str, parameters: Mapping[str, Value], *, random_state: int) -> Any:
    """Give an unfitted estimator of scikit-learn's interface."""
    return find_kind(model_type).make(parameters, random_state)
