"""The key of a piece of work: equal requests on equal rows by equal code give equal models, so one is enough."""

import functools
import hashlib
import importlib.metadata
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from shared.contracts.model_request import CreateModel, TuneModel
from training_service.ml.dataset import Dataset
from training_service.ml.space import resolve_space

# These change neither the rows nor what is made of them.
_BESIDE_THE_MODEL = {"name", "description", "priority", "force"}
# In their place stands what was made of them.
_RESOLVED = {
    "features", "use_engineered_features", "feature_engineering_windows", "params", "alert_threshold_by",
    "use_time_based_prediction", "target_var", "operator", "target_value", "future_minutes", "min_percent_change",
    "direction", "label_mode", "label_resolution", "search_space",
}  # fmt: skip
_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = (
    "shared/artifact*.py", "shared/coin_metrics/*", "shared/contracts/artifact.py", "shared/features/*",
    "shared/labels/*", "shared/scoring/*", "training_service/ml/**/*",
    *(f"training_service/usecases/{name}.py" for name in ("prepare", "run_key", "train", "write_model")),
)  # fmt: skip
LIBRARIES = (
    "pumpcast", "numpy", "scipy", "scikit-learn", "imbalanced-learn", "optuna", "xgboost", "xgboost-cpu",
    "threadpoolctl", "onnx", "skl2onnx", "onnxmltools", "onnxruntime",
)  # fmt: skip


def run_key(request: Mapping[str, Any], *, features: tuple[str, ...], params: Mapping[str, Any], data: str) -> str:
    """Give the SHA-256 of a request as it was resolved, the hash of its rows and the code.

    What a request leaves to its default and what it writes out are the same; fields without effect do not count.
    """
    whole = {
        "request": _resolved(request), "features": features, "params": dict(params), "data": data,
        "code": code_version(),
    }  # fmt: skip
    return hashlib.sha256(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _resolved(request: Mapping[str, Any]) -> dict[str, Any]:
    # Only a search has trials.
    asked = (TuneModel if "trials" in request else CreateModel).model_validate(request)
    without_effect = set()
    if not asked.use_smote:
        without_effect.add("on_resample_error")
    if not asked.use_timeseries_split and not isinstance(asked, TuneModel):
        without_effect.add("cv_splits")
    left_out = _BESIDE_THE_MODEL | _RESOLVED | without_effect
    found = {name: value for name, value in asked.model_dump(mode="json").items() if name not in left_out}
    found |= {"target": asked.target().model_dump(mode="json"), "threshold_choice": asked.threshold_choice}
    if isinstance(asked, TuneModel):
        space = {name: part.model_dump() for name, part in asked.search_space.items()}
        found["space"] = {name: asdict(span) for name, span in resolve_space(asked.model_type, space).items()}
    return found


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
    for path in sources():
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes())
    libraries = ",".join(f"{name}={version}" for name, version in libraries_present().items())
    return f"{importlib.metadata.version('pumpcast')}+{digest.hexdigest()[:12]} {libraries}"


def sources() -> Iterator[Path]:
    """Give the files that decide what a model is, in order."""
    found = {path for pattern in _SOURCES for path in _ROOT.glob(pattern)}
    return (path for path in sorted(found) if path.suffix in {".py", ".sql"})


def libraries_present() -> dict[str, str]:
    """Give the versions of Python and of the libraries that take part."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
