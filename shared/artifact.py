"""The model file: a zip of `manifest.json`, `model.onnx` and, when a key is set, `signature`.

Nothing in it is ever executed. Reading goes digest → zip structure → format → manifest → signature →
fingerprint → golden windows, and stops at the first doubt.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import orjson
from numpy.typing import NDArray
from pydantic import ValidationError

from shared.artifact_zip import pack, unpack
from shared.contracts.artifact import (
    FORMAT,
    Calibration,
    GoldenWindow,
    IsotonicCalibration,
    Manifest,
    SigmoidCalibration,
)
from shared.errors import ArtifactInvalid, Invalid
from shared.features import FEATURES_VERSION, FeatureSpec, build_last
from shared.signature import check_signature, sign

GOLDEN_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model file in memory, its structure checked."""

    manifest: Manifest
    onnx: bytes
    sha256: str
    """Digest of the whole file."""
    signed_by: str | None
    """Fingerprint of the key that signed it; None when no key was asked for."""


def calibrate(scores: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Turn raw scores into probabilities.

    Args:
        scores: float64[n] in 0..1, as the model gives them.
        calibration: `sigmoid`: 1 / (1 + exp(−(slope · logit(score) + intercept))), scores kept 1e-6 away from 0 and 1;
            `isotonic`: linear between the points (x, y), flat outside; `none`: the score itself.

    Returns:
        float64[n] in 0..1; NaN stays NaN.

    Source:
        J. Platt, Probabilistic Outputs for Support Vector Machines, 1999; B. Zadrozny and C. Elkan, KDD 2002.

    >>> import numpy as np
    >>> from shared.contracts.artifact import SigmoidCalibration
    >>> calibrate(np.array([0.2, 0.5]), SigmoidCalibration(slope=1.0, intercept=0.0)).round(6).tolist()
    [0.2, 0.5]

    """
    match calibration:
        case SigmoidCalibration(slope=slope, intercept=intercept):
            inside = np.clip(scores, 1e-6, 1 - 1e-6)
            return np.asarray(1.0 / (1.0 + np.exp(-(slope * np.log(inside / (1 - inside)) + intercept))))
        case IsotonicCalibration(x=x, y=y):
            return np.asarray(np.interp(scores, np.asarray(x), np.asarray(y)))
        case _:
            return scores.astype(np.float64)


SHARED_ROWS = 1000
"""Fewer rows a thread are not worth starting one."""


class Scorer:
    """One model ready to answer: an ONNX session of one thread and its calibration.

    `threads` share out the rows of a large batch; the answers are the same to the last bit.
    """

    def __init__(self, onnx: bytes, calibration: Calibration, *, threads: int = 1) -> None:
        self._threads = threads
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ArtifactInvalid(f"model.onnx cannot be loaded: {type(error).__name__}") from error
        self._calibration = calibration
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or {inputs[0].type, outputs[0].type} != {"tensor(float)"}:
            raise ArtifactInvalid("model.onnx must have one float32 input and one float32 output")
        self._input, self._output = inputs[0].name, outputs[0].name
        self.width = inputs[0].shape[1]
        """Number of features the model takes."""

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the score of class 1 for float32[n, F] features (NaN: missing), rounded to 6 decimals: float64[n]."""
        if len(features) == 0:
            return np.empty(0, np.float64)
        share = -(-len(features) // self._threads)
        if self._threads > 1 and share >= SHARED_ROWS:
            parts = [features[start : start + share] for start in range(0, len(features), share)]
            with ThreadPoolExecutor(self._threads) as pool:
                return np.concatenate(list(pool.map(self._scores, parts)))
        return self._scores(features)

    def _scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        (raw,) = self._session.run([self._output], {self._input: features})
        if raw.size != len(features):
            raise ArtifactInvalid("model.onnx must give one score a row")
        scores: NDArray[np.float64] = np.round(raw.reshape(len(features)).astype(np.float64), 6)
        return scores

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the calibrated score, rounded to 6 decimals: the number that is stored and compared everywhere."""
        return self.calibrated(self.scores(features))

    def calibrated(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the probabilities that belong to scores of this model."""
        probabilities: NDArray[np.float64] = np.round(calibrate(scores, self._calibration), 6)
        # Nothing but the scores of a few golden rows says that a foreign model keeps to the scale.
        return np.clip(probabilities, 0.0, 1.0)


def golden_features(window: GoldenWindow, spec: FeatureSpec) -> NDArray[np.float32]:
    """Compute the feature vector float32[F] of the last row of a golden window."""
    count = len(window.timestamps)
    height = max(count, spec.history_needed())
    values = np.full((1, height, len(spec.base_columns)), np.nan)
    timestamps = np.zeros((1, height), np.int64)
    timestamps[0, height - count :] = window.timestamps
    for index, column in enumerate(spec.base_columns):
        cells = window.columns[column]
        values[0, height - count :, index] = [np.nan if cell is None else cell for cell in cells]
    vector: NDArray[np.float32] = build_last(values, timestamps, np.array([count]), spec)[0]
    return vector


def write_artifact(path: Path, *, manifest: Manifest, onnx: bytes, signing_key: str = "") -> str:
    """Write a model file so that all or nothing of it exists; give its sha256. The same content, the same bytes."""
    body = orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    parts = {"manifest.json": body, "model.onnx": onnx}
    if signing_key:
        parts["signature"] = sign(body, signing_key)
    content = pack(parts)
    write_durably(path, content)
    return hashlib.sha256(content).hexdigest()


def write_durably(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put content at path so that after a crash there is either all of it or nothing; `mode` as umask allows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_artifact(content: bytes, *, sha256: str | None = None, public_keys: Sequence[str] = ()) -> Artifact:
    """Check a model file's digest, structure, format and signature, and give its parts; nothing is loaded yet."""
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise ArtifactInvalid(
            f"the model file has digest {digest[:12]}… where {sha256[:12]}… was promised: it is damaged"
        )
    parts = unpack(content)
    manifest = _parse_manifest(parts["manifest.json"])
    signed_by = check_signature(parts, public_keys) if public_keys else None
    onnx = parts["model.onnx"]
    if hashlib.sha256(onnx).hexdigest() != manifest.onnx_sha256:
        raise ArtifactInvalid("model.onnx is not the one its manifest names")
    return Artifact(manifest=manifest, onnx=onnx, sha256=digest, signed_by=signed_by)


def verify(artifact: Artifact) -> Scorer:
    """Load a checked model file and prove that features and probabilities here are those of its training."""
    manifest = artifact.manifest
    if manifest.features_version != FEATURES_VERSION:
        raise ArtifactInvalid(
            f"the model was trained on features of version {manifest.features_version}, "
            f"this service computes version {FEATURES_VERSION}: train it again"
        )
    try:
        return _prove(artifact)
    except ArtifactInvalid:
        raise
    except Invalid as error:
        raise ArtifactInvalid(f"the model cannot be meant for this service: {error.message}") from error
    except Exception as error:
        # What a foreign model makes the runtime raise has no common name.
        raise ArtifactInvalid(f"the model cannot be proved here: {type(error).__name__}") from error


def _prove(artifact: Artifact) -> Scorer:
    manifest = artifact.manifest
    spec = FeatureSpec(manifest.features)
    if manifest.fingerprint != spec.fingerprint:
        raise ArtifactInvalid("the fingerprint of the model's features is not the one computed here: train it again")
    scorer = Scorer(artifact.onnx, manifest.calibration)
    if scorer.width not in (len(spec.names), None) and not isinstance(scorer.width, str):
        raise ArtifactInvalid(f"model.onnx takes {scorer.width} features, the manifest names {len(spec.names)}")
    for number, window in enumerate(manifest.golden):
        _check_golden(number, window, spec, scorer)
    return scorer


def _check_golden(number: int, window: GoldenWindow, spec: FeatureSpec, scorer: Scorer) -> None:
    missing = [column for column in spec.base_columns if column not in window.columns]
    if missing:
        raise ArtifactInvalid(f"golden window {number} lacks the column {missing[0]}")
    features = golden_features(window, spec)
    expected = np.array([np.nan if cell is None else cell for cell in window.features], np.float64)
    if expected.shape != features.shape:
        raise ArtifactInvalid(f"golden window {number} has {len(expected)} features, {len(features)} are needed")
    close = np.isclose(features, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE, equal_nan=True)
    if not close.all():
        name = spec.names[int(np.argmin(close))]
        raise ArtifactInvalid(f"golden window {number}: feature {name} differs here from its training")
    probability = float(scorer.probabilities(features[None, :])[0])
    if not abs(probability - window.probability) <= GOLDEN_TOLERANCE:
        raise ArtifactInvalid(
            f"golden window {number}: probability {probability} here, {window.probability} in training"
        )


def _parse_manifest(body: bytes) -> Manifest:
    try:
        raw = orjson.loads(body)
        number = raw["format"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ArtifactInvalid("manifest.json is not a manifest") from error
    if number != FORMAT:
        raise ArtifactInvalid(f"the model file has format {number}, this service reads format {FORMAT}")
    try:
        return Manifest.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ArtifactInvalid(f"manifest.json: {where}: {problem['msg']}") from error
