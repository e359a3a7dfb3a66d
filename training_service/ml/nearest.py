"""The threshold nearest to the one asked for with which a model can be made."""

import numpy as np

from shared.coin_metrics.rows import Floats, Ints
from shared.labels import Labels, Target, TimeTarget
from training_service.ml.split import Index, split_by_time

ENOUGH_TO_FIT, ENOUGH_TO_CALIBRATE = 50, 10
"""Rows of the rarer answer. One or two let no tree grow."""


def workable_threshold(
    labels: Labels, target: Target, kept: Index, timestamp: Ints, *, test_size: float
) -> float | None:
    """Give the nearest threshold that leaves enough rows of either answer to fit and to calibrate on; None without one.

    Args:
        labels: of all rows.
        target: the question, whose threshold gives one answer only.
        kept: int64[n], the rows whose answer is known.
        timestamp: int64[n], their times in microseconds.
        test_size: share 0..1 of the hold-out.

    """
    split = split_by_time(
        timestamp, test_size=test_size, horizon_us=target.horizon if isinstance(target, TimeTarget) else 0
    )
    measure = labels.measure[kept]
    if isinstance(target, TimeTarget):
        measure = measure if target.direction == "up" else -measure
        operator, asked = ">=", target.min_percent_change
    else:
        operator, asked = target.operator, target.target_value
    candidates = np.unique(measure)
    if isinstance(target, TimeTarget):
        candidates = candidates[candidates > 0]
    works = np.ones(len(candidates), np.bool_)
    for part, enough in ((split.fit, ENOUGH_TO_FIT), (split.calibration, ENOUGH_TO_CALIBRATE)):
        ones = _count_ones(np.sort(measure[part]), candidates, operator)
        works &= (ones >= enough) & (len(part) - ones >= enough)
    found = candidates[works]
    return float(found[np.argmin(np.abs(found - asked))]) if len(found) else None


def _count_ones(ordered: Floats, thresholds: Floats, operator: str) -> Ints:
    """Count the sorted values that pass against each threshold.

    >>> _count_ones(np.array([1.0, 2.0, 2.0, 3.0]), np.array([2.0]), "<=").tolist()
    [3]
    """
    below = np.searchsorted(ordered, thresholds, side="left")
    up_to = np.searchsorted(ordered, thresholds, side="right")
    match operator:
        case ">=":
            return len(ordered) - below
        case ">":
            return len(ordered) - up_to
        case "<=":
            return up_to
        case "<":
            return below
        case _:
            return up_to - below
