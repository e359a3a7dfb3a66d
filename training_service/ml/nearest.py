"""The threshold nearest to the one asked for with which a model could be made."""

import numpy as np

from shared.coin_metrics.rows import Bools, Ints
from shared.labels import Labels, Target, TimeTarget, nearest_threshold
from shared.labels.targets import COMPARE
from training_service.ml.split import Index, split_by_time


def nearest_workable(labels: Labels, target: Target, kept: Index, timestamp: Ints, *, test_size: float) -> float | None:
    """Give the nearest threshold that gives both answers among the rows to fit and among those to calibrate on.

    Where there is none, or those parts have no rows, the nearest that gives both among all; None without one.

    Args:
        labels: of all rows.
        target: the question, whose threshold gives one answer only.
        kept: int64[n], the rows whose answer is known.
        timestamp: int64[n], their times in microseconds.
        test_size: share 0..1 of the hold-out.

    """
    horizon = target.horizon if isinstance(target, TimeTarget) else 0
    split = split_by_time(timestamp, test_size=test_size, horizon_us=horizon)
    parts = [kept[split.fit], kept[split.calibration]]
    # A threshold that splits both parts lies, on the way to the one asked for, next to what one of them allows.
    found = [nearest_threshold(labels, target, where) for where in (kept, *parts) if len(where)]
    candidates = [candidate for candidate in found if candidate is not None]
    asked = target.min_percent_change if isinstance(target, TimeTarget) else target.target_value
    for candidate in sorted(candidates, key=lambda value: abs(value - asked)):
        if all(_splits(labels, target, part, candidate) for part in parts):
            return candidate
    return nearest_threshold(labels, target, kept)


def _splits(labels: Labels, target: Target, rows: Index, threshold: float) -> bool:
    ones = _ones(labels, target, rows, threshold)
    return bool(np.any(ones) and not np.all(ones))


def _ones(labels: Labels, target: Target, rows: Index, threshold: float) -> Bools:
    measure = labels.measure[rows]
    if isinstance(target, TimeTarget):
        return measure >= threshold if target.direction == "up" else measure <= -threshold
    return COMPARE[target.operator](measure, threshold)
