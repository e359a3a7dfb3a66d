"""Five real models for the live benchmark: trained on a simulated market, exported, calibrated, made active."""

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from prediction_service.store import active_models, positions
from prediction_service.store.active_models import NewActiveModel
from pumpcast.market.simulate import simulate_history
from shared.artifact import write_artifact
from shared.coin_metrics.rows import CoinRows
from shared.contracts.artifact import Manifest, TimeTargetSpec
from shared.db import Pool, transaction
from shared.features import DEFAULT_WINDOWS, FEATURES_VERSION, FeatureSpec
from training_service.ml.dataset import Dataset, make_dataset
from training_service.ml.divide import divide
from training_service.ml.golden import golden_windows, histograms
from training_service.ml.model import Made, Recipe, make_model
from training_service.ml.model_types import resolve_parameters
from training_service.ml.split import Split

BASE = ("volume_sol", "num_buys", "num_sells", "bonding_curve_pct", "virtual_sol_reserves")
START = datetime(2026, 1, 1, tzinfo=UTC)
UNTRACKED = frozenset({99, 100})
SEED = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a model is trained for."""

    model_type: str
    base: tuple[str, ...]
    """Base features beside the engineered ones of windows 5, 10, 15."""
    percent: float
    """It answers whether price_close rises so much within ten minutes."""


MODELS = (
    Asked(model_type="xgboost", base=BASE, percent=30),
    Asked(model_type="xgboost", base=BASE, percent=50),
    Asked(model_type="xgboost", base=(), percent=30),
    Asked(model_type="random_forest", base=BASE, percent=30),
    Asked(model_type="random_forest", base=(), percent=50),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model in both forms: as the worker takes it, and as the library knows it."""

    manifest: Manifest
    onnx: bytes
    native: Any


def train_all() -> list[Trained]:
    """Train the five models with the defaults of the training service, 100 trees each."""
    table = simulate_history(seed=1, start=START, minutes=80, coins_per_minute=5)
    rows = CoinRows.from_arrow(table).deduplicated()
    return [_train(rows, number, asked) for number, asked in enumerate(MODELS, start=1)]


def _train(rows: CoinRows, number: int, asked: Asked) -> Trained:
    target = TimeTargetSpec(
        target_var="price_close", future_minutes=10, min_percent_change=asked.percent, direction="up",
        label_mode="at_horizon", label_resolution="observed",
    )  # fmt: skip
    spec, _ = FeatureSpec.resolve(asked.base, use_engineered=True, windows=DEFAULT_WINDOWS, target=target.to_target())
    last_seen = np.zeros(len(rows.mints), np.int64)
    np.maximum.at(last_seen, rows.coin, rows.timestamp)
    data = make_dataset(
        rows, np.ones(len(rows), np.bool_), spec=spec, target=target.to_target(), phases=None,
        clock_us=int(rows.timestamp.max()), last_seen=last_seen, untracked_phases=UNTRACKED,
    )  # fmt: skip
    split = divide(data, test_size=0.2, horizon_us=600_000_000)
    recipe = Recipe(
        model_type=asked.model_type, parameters=resolve_parameters(asked.model_type, {}), random_state=SEED,
        calibrate=True, alerts_per_day=None,
    )  # fmt: skip
    made = make_model(data, split, recipe)
    return Trained(manifest=_manifest(number, target, data, split, made, asked), onnx=made.onnx, native=made.native)


def _manifest(number: int, target: TimeTargetSpec, data: Dataset, split: Split, made: Made, asked: Asked) -> Manifest:
    return Manifest(
        model_id=number, name=f"{asked.model_type} {asked.percent:g} %", model_type=asked.model_type,
        features=data.spec.names, features_version=FEATURES_VERSION, fingerprint=data.spec.fingerprint, target=target,
        phases=None, decision_threshold=made.decision_threshold, alert_threshold=made.alert_threshold,
        calibration=made.calibration, metrics={}, histograms=histograms(data, split.fit), train_start=START,
        train_end=START, counts={"rows": len(data)}, libraries={},
        onnx_sha256=hashlib.sha256(made.onnx).hexdigest(),
        golden=golden_windows(data, split.holdout, made.scorer, random_state=SEED),
    )  # fmt: skip


async def activate_all(pool: Pool, folder: Path, models: Sequence[Trained]) -> None:
    """Put the models in place as an import does, to predict whatever commits from now on."""
    for model in models:
        path = folder / f"model_{model.manifest.model_type}_{model.manifest.model_id}.zip"
        digest = write_artifact(path, manifest=model.manifest, onnx=model.onnx)
        async with transaction(pool) as connection:
            position = await positions.lock_and_capture(connection)
            await active_models.insert(connection, _row(model.manifest, path, digest, position))


def _row(manifest: Manifest, path: Path, digest: str, position: dict[str, Any]) -> NewActiveModel:
    assert isinstance(manifest.target, TimeTargetSpec)
    return NewActiveModel(
        model_id=manifest.model_id, model_name=manifest.name, model_type=manifest.model_type,
        target_variable=manifest.target.target_var, target_operator=None, target_value=None,
        future_minutes=manifest.target.future_minutes, price_change_percent=manifest.target.min_percent_change,
        target_direction=manifest.target.direction, features=list(manifest.features), phases=None, params={},
        local_model_path=str(path), model_file_sha256=digest, manifest=manifest.model_dump(mode="json"),
        decision_threshold=manifest.decision_threshold, alert_threshold=manifest.alert_threshold,
        activation=[{"from": position, "until": None}],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """A model as its library knows it, for workers that use that."""

    names: tuple[str, ...]
    """Its features, in order."""
    columns: tuple[str, ...]
    """The columns they are made of."""
    native: Any


Natives: TypeAlias = Sequence[Native]


def save_natives(path: Path, models: Sequence[Trained]) -> None:
    """Pickle the models for workers that use pandas."""
    from xgboost import XGBClassifier

    natives = []
    for model in models:
        native = model.native
        if model.manifest.model_type == "xgboost":
            # What fits here is a class of its own; pickled is the library's.
            native = XGBClassifier(n_estimators=native.n_estimators)
            native.load_model(model.native.get_booster().save_raw())
        native.set_params(n_jobs=1)
        spec = FeatureSpec(model.manifest.features)
        natives.append(Native(names=spec.names, columns=spec.base_columns, native=native))
    path.write_bytes(pickle.dumps(natives))
