"""The key of a piece of work: equal requests on equal rows by equal code give equal models, so one is enough."""

import functools
import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from training_service.ml.dataset import Dataset

# These change neither the rows nor what is made of them.
_BESIDE_THE_MODEL = {"name", "description", "priority", "force"}
_ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "pumpcast", "numpy", "scikit-learn", "imbalanced-learn", "optuna", "xgboost", "xgboost-cpu", "onnx", "skl2onnx",
    "onnxmltools", "onnxruntime",
)  # fmt: skip


def run_key(request: Mapping[str, Any], *, features: tuple[str, ...], params: Mapping[str, Any], data: str) -> str:
    """Give the SHA-256 of a request as it was resolved, the hash of its rows and the code.

    >>> one = run_key({"name": "a", "cv_splits": 5}, features=("volume_sol",), params={}, data="d")
    >>> one == run_key({"name": "b", "cv_splits": 5}, features=("volume_sol",), params={}, data="d")
    True
    >>> one == run_key({"name": "a", "cv_splits": 4}, features=("volume_sol",), params={}, data="d")
    False
    """
    asked = {name: value for name, value in request.items() if name not in _BESIDE_THE_MODEL}
    whole = {"request": asked, "features": features, "params": dict(params), "data": data, "code": code_version()}
    return hashlib.sha256(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)).hexdigest()


def data_sha256(data: Dataset) -> str:
    """Give the SHA-256 of everything a model can learn from and be measured on, in the order of the rows."""
    digest = hashlib.sha256(orjson.dumps([data.spec.names, data.rows.mints]))
    rows = (data.coin, data.timestamp, data.answers, data.features, data.change_pct, data.reserves_sol, data.observed)
    rest = data.unanswered
    others = (rest.coin, rest.timestamp, rest.features, rest.change_pct, rest.reserves_sol)
    for array in (*rows, *others):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@functools.cache
def code_version() -> str:
    """Give the version, a hash of the sources that make a model, and the libraries that fit it."""
    digest = hashlib.sha256()
    for folder in ("shared", "training_service"):
        for path in sorted((_ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".sql"}:
                digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes())
    libraries = ",".join(f"{name}={version}" for name, version in libraries_present().items())
    return f"{importlib.metadata.version('pumpcast')}+{digest.hexdigest()[:12]} {libraries}"


def libraries_present() -> dict[str, str]:
    """Give the versions of the libraries that take part."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
