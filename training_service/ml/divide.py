"""Rows to fit, to calibrate and to measure on, each with what it needs."""

from datetime import UTC, datetime

from shared.coin_metrics.rows import Ints
from shared.errors import JobFailed
from training_service.ml.dataset import Answered
from training_service.ml.split import Split, split_by_time


def divide(data: Answered, *, test_size: float, horizon_us: int) -> Split:
    """Cut the rows into those to fit, to calibrate and to measure on; each needs rows, the first two both answers."""
    split = split_by_time(data.timestamp, test_size=test_size, horizon_us=horizon_us)
    parts = {"fitting": split.fit, "calibrating": split.calibration, "measuring": split.holdout}
    for name, rows in parts.items():
        if len(rows) == 0:
            raise JobFailed(
                f"no rows are left for {name}: of {len(data)} rows {split.purged} look past their part of the window; "
                "take a longer window or a shorter horizon"
            )
    for name in ("fitting", "calibrating"):
        positives = int(data.answers[parts[name]].sum())
        if not 0 < positives < len(parts[name]):
            raise JobFailed(
                f"the rows for {name}, {_span(data.timestamp[parts[name]])}, hold one answer only "
                f"({positives} positive of {len(parts[name])}): take a longer window or an easier target"
            )
    return split


def _span(timestamp: Ints) -> str:
    first, last = (datetime.fromtimestamp(int(edge) // 1_000_000, UTC) for edge in (timestamp.min(), timestamp.max()))
    return f"{first:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}"
