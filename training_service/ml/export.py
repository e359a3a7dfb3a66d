"""From a native model to ONNX: one float32 input, one raw score of class 1, proved equal, the same bytes every time."""

import json
import math
from typing import Any

import numpy as np

from shared.errors import JobFailed

MAX_NODES = 2_000_000
OPSET = 15  # the newest the XGBoost converter writes
OPSET_ML = 3
IR_VERSION = 8
INPUT, OUTPUT = "features", "score"


def export_onnx(native: Any, *, width: int) -> bytes:
    """Give the model as ONNX: `features` float32[n, width] in (NaN = missing), `score` float32[n, 1] out."""
    import onnx

    forest = hasattr(native, "estimators_")
    if forest:
        _refuse_giant(sum(tree.tree_.node_count for tree in native.estimators_), native.n_estimators)
        ensemble = _ensemble(_convert_forest(native, width))
        _set_missing_directions(ensemble, native)
    else:
        booster = native.get_booster()
        _refuse_giant(sum(tree.count('"nodeid"') for tree in booster.get_dump(dump_format="json")), native.n_estimators)
        ensemble = _ensemble(_convert_boosted(native, width))
        _set_intercept(ensemble, booster)
    return bytes(_assemble(onnx, ensemble, width).SerializeToString(deterministic=True))


def _refuse_giant(nodes: int, trees: int) -> None:
    if nodes > MAX_NODES:
        raise JobFailed(
            f"the {trees} trees hold {nodes} nodes, more than {MAX_NODES}: "
            "lower n_estimators or max_depth, or keep more rows in a leaf"
        )


def _convert_forest(native: Any, width: int) -> Any:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    return to_onnx(
        native,
        initial_types=[(INPUT, FloatTensorType([None, width]))],
        options={id(native): {"zipmap": False}},
        target_opset={"": OPSET, "ai.onnx.ml": OPSET_ML},
    )


def _convert_boosted(native: Any, width: int) -> Any:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    return convert_xgboost(native, initial_types=[(INPUT, FloatTensorType([None, width]))], target_opset=OPSET)


def _ensemble(model: Any) -> Any:
    (node,) = (node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier")
    return node


def _attribute(ensemble: Any, name: str) -> Any:
    (found,) = (attribute for attribute in ensemble.attribute if attribute.name == name)
    return found


def _set_missing_directions(ensemble: Any, forest: Any) -> None:
    # The converter writes 0 for every node, so that a missing value would always go right.
    directions = np.concatenate([tree.tree_.missing_go_to_left for tree in forest.estimators_]).astype(np.int64)
    written = _attribute(ensemble, "nodes_missing_value_tracks_true")
    if len(written.ints) != len(directions):
        raise JobFailed("the forest cannot be exported: its converter orders the nodes in an unknown way")
    del written.ints[:]
    written.ints.extend(directions.tolist())


def _set_intercept(ensemble: Any, booster: Any) -> None:
    # The converter writes a probability where log-odds belong when the first tree is a single leaf of 0.
    raw = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    share = float(raw.strip("[]").split(",")[0])
    for attribute in list(ensemble.attribute):
        if attribute.name == "base_values":
            ensemble.attribute.remove(attribute)
    from onnx.helper import make_attribute

    ensemble.attribute.append(make_attribute("base_values", [math.log(share / (1 - share))]))


def _assemble(onnx: Any, ensemble: Any, width: int) -> Any:
    from onnx import TensorProto, helper

    # Converters put random names and their own versions into the file; this keeps what computes and nothing else.
    attributes = sorted(ensemble.attribute, key=lambda attribute: str(attribute.name))
    trees = helper.make_node("TreeEnsembleClassifier", [INPUT], ["label", "both"], name="trees", domain="ai.onnx.ml")
    trees.attribute.extend(attributes)
    second = helper.make_tensor("second", TensorProto.INT64, [1], [1])
    pick = helper.make_node("Gather", ["both", "second"], [OUTPUT], name="pick", axis=1)
    graph = helper.make_graph(
        [trees, pick],
        "model",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, 1])],
        [second],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="pumpcast", ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model
