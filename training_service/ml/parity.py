"""Proof that an exported model answers as the fitted one does, on rows as they are and on rows with holes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.artifact import Scorer, calibrate
from shared.coin_metrics.rows import Floats
from shared.contracts.artifact import Calibration, NoCalibration
from shared.errors import JobFailed
from training_service.ml.fit import Features, native_scores

TOLERANCE = 1e-5
_CHECK_ROWS = 20_000
_HOLED_ROWS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Scores float64[n] of the same rows, both rounded to 6 decimals as in serving."""

    native: Floats
    exported: Floats
    difference: float
    """Largest difference, before the native ones were rounded."""


def check_parity(native: Any, onnx: bytes, features: Features, *, random_state: int) -> Comparison:
    """Compare native and exported scores on rows as they are and on rows with holes.

    Args:
        native: the fitted model.
        onnx: its export.
        features: float32[n, F] rows the model was not fitted on.
        random_state: which rows are taken when there are many, and where the holes are.

    Raises:
        JobFailed: a score differs by more than 1e-5.

    """
    random = np.random.default_rng(random_state)
    rows = features
    if len(rows) > _CHECK_ROWS:
        rows = rows[np.sort(random.choice(len(rows), _CHECK_ROWS, replace=False))]
    holed = rows[:_HOLED_ROWS].copy()
    holed[random.random(holed.shape) < 0.3] = np.nan  # noqa: PLR2004 - enough holes that every feature has some
    checked = np.concatenate([rows, holed, np.full((1, features.shape[1]), np.nan, np.float32)])
    exported = Scorer(onnx, NoCalibration()).scores(checked)
    scores = native_scores(native, checked)
    difference = float(np.abs(scores - exported).max())
    # Exported scores come rounded to six decimals.
    if not difference <= TOLERANCE + 5e-7:
        raise JobFailed(f"the exported model differs from the fitted one by {difference:.2g}, more than {TOLERANCE:g}")
    return Comparison(native=np.round(scores, 6), exported=exported, difference=difference)


def check_flips(comparison: Comparison, calibration: Calibration, thresholds: Iterable[float]) -> None:
    """Refuse an export whose answers differ from the fitted model's at a threshold, but for rows beside it.

    A calibration can be steep: what is within 1e-5 as a score may be apart as a probability. A row lies beside a
    threshold when its native or its exported probability is within 1e-5 of it.

    Raises:
        JobFailed: a row farther away is on the other side of a threshold.

    >>> scores = np.array([0.2, 0.500001]), np.array([0.2, 0.499999])
    >>> check_flips(Comparison(native=scores[0], exported=scores[1], difference=2e-6), NoCalibration(), [0.5])

    """
    native = np.round(calibrate(comparison.native, calibration), 6)
    exported = np.round(calibrate(comparison.exported, calibration), 6)
    for threshold in thresholds:
        flipped = (native >= threshold) != (exported >= threshold)
        away = np.minimum(np.abs(native - threshold), np.abs(exported - threshold)) > TOLERANCE
        flips = int((flipped & away).sum())
        if flips:
            raise JobFailed(
                f"the exported model answers differently from the fitted one for {flips} of {len(native)} rows "
                f"at the threshold {threshold:.6g}"
            )
