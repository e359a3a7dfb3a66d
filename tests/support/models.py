"""Small models for tests: the score is a known function of one feature, so that an answer can be checked by hand."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from prediction_service.store import active_models, positions
from prediction_service.store.active_models import NewActiveModel
from shared.artifact import Scorer, write_artifact
from shared.contracts.artifact import GOLDEN_WINDOWS, GoldenWindow, Manifest, NoCalibration, TimeTargetSpec
from shared.db import Pool, transaction
from shared.features import FEATURES_VERSION, FeatureSpec

FEATURES = ("volume_sol", "price_change_5", "price_volatility_5", "order_book_imbalance_10")


def sigmoid_onnx(width: int, *, column: int, scale: float) -> bytes:
    """Give a model whose score is 1 / (1 + exp(−scale · feature)), a missing feature counting as 0."""
    nodes = [
        helper.make_node("Gather", ["features", "column"], ["picked"], axis=1),
        helper.make_node("IsNaN", ["picked"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "picked"], ["clean"]),
        helper.make_node("Mul", ["clean", "scale"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sigmoid",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor("column", TensorProto.INT64, [1], [column]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("scale", TensorProto.FLOAT, [], [scale]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def make_model(
    path: Path,
    *,
    model_id: int = 1,
    features: Sequence[str] = FEATURES,
    column: int = 1,
    scale: float = 0.1,
    decision_threshold: float = 0.5,
    alert_threshold: float = 0.7,
    phases: tuple[int, ...] | None = None,
    future_minutes: int = 10,
) -> tuple[Manifest, str]:
    """Write a model file; give its manifest and digest."""
    spec = FeatureSpec(tuple(features))
    onnx = sigmoid_onnx(len(spec.names), column=column, scale=scale)
    empty = np.full(len(spec.names), np.nan, np.float32)
    golden = GoldenWindow(
        timestamps=(0,),
        columns=dict.fromkeys(spec.base_columns, (None,)),
        features=tuple(None for _ in spec.names),
        probability=float(Scorer(onnx, NoCalibration()).probabilities(empty[None, :])[0]),
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    manifest = Manifest(
        model_id=model_id, name=f"model {model_id}", model_type="xgboost", features=spec.names,
        features_version=FEATURES_VERSION, fingerprint=spec.fingerprint,
        target=TimeTargetSpec(
            target_var="price_close", future_minutes=future_minutes, min_percent_change=30, direction="up",
            label_mode="at_horizon", label_resolution="observed",
        ),
        phases=phases, decision_threshold=decision_threshold, alert_threshold=alert_threshold,
        calibration=NoCalibration(), metrics={}, histograms={}, train_start=start, train_end=start,
        counts={}, libraries={}, onnx_sha256=hashlib.sha256(onnx).hexdigest(), golden=(golden,) * GOLDEN_WINDOWS,
    )  # fmt: skip
    return manifest, write_artifact(path, manifest=manifest, onnx=onnx)


async def activate_model(pool: Pool, folder: Path, *, model_id: int = 1, **shape: object) -> int:
    """Make a model below the home `folder` and let it predict from now on; give its active id."""
    path = folder / "models" / "prediction" / f"{model_id}.zip"
    manifest, digest = make_model(path, model_id=model_id, **shape)  # type: ignore[arg-type]
    target = manifest.target
    assert isinstance(target, TimeTargetSpec)
    async with transaction(pool) as connection:
        position = await positions.lock_and_capture(connection)
        active_id = await active_models.insert(
            connection,
            NewActiveModel(
                model_id=model_id, model_name=manifest.name, model_type=manifest.model_type,
                target_variable=target.target_var, target_operator=None, target_value=None,
                future_minutes=target.future_minutes, price_change_percent=target.min_percent_change,
                target_direction=target.direction, features=list(manifest.features),
                phases=None if manifest.phases is None else list(manifest.phases), params={},
                local_model_path=str(path), model_file_sha256=digest, manifest=manifest.model_dump(mode="json"),
                decision_threshold=manifest.decision_threshold, alert_threshold=manifest.alert_threshold,
                activation=[{"from": position, "until": None}],
            ),
        )  # fmt: skip
        await active_models.announce(connection)
    return active_id
