"""What a model file says of itself: a manifest that cannot be meant, or a model that answers otherwise, is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from prediction_service.runtime.models import load
from shared.artifact import Scorer, calibrate, read_artifact, verify
from shared.contracts.artifact import IsotonicCalibration, NoCalibration
from shared.errors import ArtifactInvalid
from tests.support.model_files import changed, good_file, packed, parts_of
from tests.support.models import FEATURES, sigmoid_onnx

Manifest = dict[str, Any]


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    return good_file(tmp_path)


def refusal(content: bytes) -> str:
    with pytest.raises(ArtifactInvalid) as caught:
        verify(read_artifact(content))
    return caught.value.message


def setting(**values: Any) -> Callable[[Manifest], object]:
    return lambda manifest: manifest.update(values)


def in_target(**values: Any) -> Callable[[Manifest], object]:
    return lambda manifest: manifest["target"].update(values)


def in_window(number: int, **values: Any) -> Callable[[Manifest], object]:
    return lambda manifest: manifest["golden"][number].update(values)


def with_columns(change: Callable[[dict[str, Any]], object]) -> Callable[[Manifest], object]:
    return lambda manifest: change(manifest["golden"][3]["columns"])


def scaled_onnx(width: int, *, scale: float, columns: int = 1) -> bytes:
    """Give a model whose score is the sum of all features times `scale` plus a half, in so many columns."""
    nodes = [
        helper.make_node("IsNaN", ["features"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "features"], ["clean"]),
        helper.make_node("MatMul", ["clean", "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "half"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "scaled",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, columns])],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("half", TensorProto.FLOAT, [], [0.5]),
            helper.make_tensor("weights", TensorProto.FLOAT, [width, columns], [scale] * (width * columns)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def test_format_when_newer_then_the_sentence_names_both(good: bytes):
    newer = "the model file has format 2, this service reads format 1"
    assert refusal(changed(good, setting(format=2, something_new=[1]))) == newer


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"null", b"\xff", b'{"format": NaN}', b"[" * 100_000])
def test_manifest_when_it_is_none_then_refused(good: bytes, body: bytes):
    content = packed(list((parts_of(good) | {"manifest.json": body}).items()))
    assert refusal(content) == "manifest.json is not a manifest"


def test_features_when_of_another_version_then_the_sentence_says_train_again(good: bytes):
    told = "the model was trained on features of version 2, this service computes version 1: train it again"
    assert refusal(changed(good, setting(features_version=2))) == told
    assert refusal(changed(good, setting(features_version=2, features=["not_yet_known_5"]))) == told
    assert "fingerprint" in refusal(changed(good, setting(fingerprint="0" * 64)))


def test_features_when_unknown_then_it_is_the_file_that_is_wrong(good: bytes, tmp_path: Path):
    content = changed(good, setting(features=["nobody_knows", *FEATURES[1:]]))
    assert "Unknown features: 'nobody_knows'" in refusal(content)
    path = tmp_path / "foreign.zip"
    path.write_bytes(content)
    with pytest.raises(ArtifactInvalid, match="Unknown features"):
        load(path, sha256=read_artifact(content).sha256)


def test_golden_window_when_features_or_probability_differ_then_refused(good: bytes):
    features = [0.5, *(None for _ in FEATURES[1:])]
    differs = refusal(changed(good, in_window(2, features=features)))
    assert differs == "golden window 2: feature volume_sol differs here from its training"
    assert refusal(changed(good, in_window(4, probability=0.25))) == (
        "golden window 4: probability 0.5 here, 0.25 in training"
    )
    assert refusal(changed(good, in_window(0, features=[None]))) == "golden window 0 has 1 features, 4 are needed"


def test_model_when_it_cannot_be_run_then_refused(good: bytes):
    width = len(FEATURES)

    def keep(_manifest: Manifest) -> None:
        return None

    assert refusal(changed(good, keep, onnx=b"no model")).startswith("model.onnx cannot be loaded")
    assert refusal(changed(good, keep, onnx=sigmoid_onnx(width + 1, column=1, scale=0.1))) == (
        "model.onnx takes 5 features, the manifest names 4"
    )
    two_columns = refusal(changed(good, keep, onnx=scaled_onnx(width, scale=0.0, columns=2)))
    assert two_columns == "model.onnx must give one score a row"
    # A picked column that is not there fails only when the model runs.
    assert refusal(changed(good, keep, onnx=sigmoid_onnx(width, column=9, scale=0.1))).startswith(
        "the model cannot be proved here"
    )


WRONG: list[tuple[Callable[[Manifest], object], str]] = [
    (in_target(future_minutes=-5), "future_minutes must be from 1 to"),
    (in_target(target_var="nonsense"), "target_var 'nonsense' is no column"),
    (in_target(min_percent_change=0), "min_percent_change must be above 0"),
    (setting(calibration={"method": "isotonic", "x": [0, 0.5, 1], "y": [0, 5, -3]}), "y must rise from 0 to 1 at most"),
    (setting(calibration={"method": "isotonic", "x": [0, 0.5], "y": [0.5, 0.2]}), "y must rise from 0 to 1 at most"),
    (setting(calibration={"method": "isotonic", "x": [0.5, 0.1], "y": [0.1, 0.2]}), "x must rise"),
    (setting(calibration={"method": "isotonic", "x": [0.1, 0.5, 1], "y": [0.1, 0.2]}), "x and y must be of one length"),
    (setting(calibration={"method": "sigmoid", "slope": -1, "intercept": 0}), "greater than 0"),
    (setting(calibration={"method": "sigmoid", "slope": 1e999, "intercept": 0}), "calibration"),
    (lambda manifest: manifest.update(golden=manifest["golden"][:1]), "at least 12 items"),
    (
        lambda manifest: [window.update(timestamps=[0], columns={name: [1.0] for name in window["columns"]})
                          for window in manifest["golden"]],
        "none of the golden windows has a missing value",
    ),
    (in_window(3, timestamps=[2**63]), "golden.3.timestamps.0"),
    (in_window(3, timestamps=[1, 1]), "timestamps must rise"),
    (with_columns(lambda columns: columns.update(volume_sol=[1.0, 2.0])), "volume_sol has 2 values for 1 rows"),
    (with_columns(lambda columns: columns.pop("volume_sol")), "golden window 3 lacks the column volume_sol"),
    (setting(decision_threshold=1.5), "decision_threshold"),
    (setting(surprise=1), "surprise"),
    (setting(score_histogram={"edges": [0, 1], "counts": [], "missing": 0}), "0 counts do not fit 2 edges"),
    (setting(histograms={"volume_sol": {"edges": [1, 0], "counts": [3], "missing": 0}}), "edges must rise"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told"), WRONG, ids=[told for _, told in WRONG])
def test_manifest_when_it_says_what_cannot_be_meant_then_refused(
    good: bytes, change: Callable[[Manifest], object], told: str
):
    assert told in refusal(changed(good, change))


def test_probability_when_the_model_scores_beyond_the_scale_then_it_stays_on_it():
    scorer = Scorer(scaled_onnx(1, scale=1.0), NoCalibration())
    features = np.array([[-9.0], [0.25], [9.0]], np.float32)
    assert scorer.probabilities(features).tolist() == [0.0, 0.75, 1.0]


def test_isotonic_curve_when_flat_in_places_then_it_is_taken():
    curve = IsotonicCalibration(x=(0.1, 0.2, 0.9), y=(0.3, 0.3, 1.0))
    assert calibrate(np.array([0.0, 0.15, 0.95]), curve).tolist() == [0.3, 0.3, 1.0]


def test_manifest_when_a_time_is_beyond_all_integers_then_refused(good: bytes):
    parts = parts_of(good)
    parts["manifest.json"] = re.sub(rb'"timestamps": \[\s*0', b'"timestamps": [%d' % 2**70, parts["manifest.json"])
    assert "golden.0.timestamps.0" in refusal(packed(list(parts.items())))
