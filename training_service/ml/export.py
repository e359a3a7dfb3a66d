"""Parts of the way to ONNX: one float32 input, one raw score of class 1, the same bytes every time."""

from typing import Any

import numpy as np

from shared.errors import JobFailed

MAX_NODES = 2_000_000
OPSET = 15  # the newest the XGBoost converter writes
OPSET_ML = 3
IR_VERSION = 8
INPUT, OUTPUT = "features", "score"


def export_forest(native: Any, width: int) -> bytes:
    """Give a forest of scikit-learn trees as ONNX, with the way that missing values go."""
    refuse_giant(sum(tree.tree_.node_count for tree in native.estimators_), native.n_estimators)
    ensemble = tree_ensemble(_convert_forest(native, width))
    _set_missing_directions(ensemble, native)
    return assemble_trees(ensemble, width)


def refuse_giant(nodes: int, trees: int) -> None:
    """Refuse a model whose file and conversion would take gigabytes."""
    if nodes > MAX_NODES:
        raise JobFailed(
            f"the {trees} trees hold {nodes} nodes, more than {MAX_NODES}: "
            "lower n_estimators or max_depth, or keep more rows in a leaf"
        )


def tree_ensemble(model: Any) -> Any:
    """Give the node of a converted model that holds its trees."""
    (node,) = (node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier")
    return node


def assemble_trees(ensemble: Any, width: int) -> bytes:
    """Give trees with what belongs around them."""
    from onnx import TensorProto, helper

    # Converters put random names and their own versions into the file; this keeps what computes and nothing else.
    attributes = sorted(ensemble.attribute, key=lambda attribute: str(attribute.name))
    trees = helper.make_node("TreeEnsembleClassifier", [INPUT], ["label", "both"], name="trees", domain="ai.onnx.ml")
    trees.attribute.extend(attributes)
    second = helper.make_tensor("second", TensorProto.INT64, [1], [1])
    pick = helper.make_node("Gather", ["both", "second"], [OUTPUT], name="pick", axis=1)
    return assemble([trees, pick], [second], width)


def assemble(nodes: list[Any], constants: list[Any], width: int) -> bytes:
    """Give nodes that compute `score` float32[n, 1] from `features` float32[n, width] as a checked ONNX file."""
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, 1])],
        constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="pumpcast", ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _convert_forest(native: Any, width: int) -> Any:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    return to_onnx(
        native,
        initial_types=[(INPUT, FloatTensorType([None, width]))],
        options={id(native): {"zipmap": False}},
        target_opset={"": OPSET, "ai.onnx.ml": OPSET_ML},
    )


def _set_missing_directions(ensemble: Any, forest: Any) -> None:
    # The converter writes 0 for every node, so that a missing value would always go right.
    directions = np.concatenate([tree.tree_.missing_go_to_left for tree in forest.estimators_]).astype(np.int64)
    name = "nodes_missing_value_tracks_true"
    (written,) = (attribute for attribute in ensemble.attribute if attribute.name == name)
    if len(written.ints) != len(directions):
        raise JobFailed("the forest cannot be exported: its converter orders the nodes in an unknown way")
    del written.ints[:]
    written.ints.extend(directions.tolist())
