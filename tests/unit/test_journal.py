"""The journal of a batch: sums for each model, hour and phase, and the minutes its rows are of."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from prediction_service.runtime.answers import Answers
from prediction_service.runtime.journal import entries
from shared.coin_metrics.read import Batch

HOUR = 3_600_000_000
MINUTE = 60_000_000


def answers(active_id: int, rows: list[int], probability: list[float]) -> Answers:
    loaded = SimpleNamespace(target={"kind": "rule"}, horizon_minutes=5)
    model = cast("Any", SimpleNamespace(active_id=active_id, model_id=10 + active_id, loaded=loaded))
    said = np.array(probability)
    return Answers(model=model, rows=np.array(rows), probability=said, prediction=said >= 0.5, alert=said >= 0.75)


def test_entries_when_rows_lie_in_two_hours_and_phases_then_each_has_its_sums():
    times = np.array([HOUR - 1, HOUR, HOUR + 5, -1, 2 * HOUR - 7])
    rows = Batch(
        id=np.arange(5), mint=list("abcde"), timestamp=times, phase=np.array([-1, 2, -1, 2, 2]), values=np.zeros((5, 1))
    )
    first, second = entries(
        [answers(1, [0, 1, 2, 3, 4], [0.5, 0.75, 0.25, 1.0, 0.5]), answers(2, [4], [0.25]), answers(3, [], [])],
        rows,
        duration_ms=2.0,
    )
    assert first["cells"] == [
        [-3600, 2, 1, 1, 1, 1.0, 2.0, -1],
        [0, -1, 1, 1, 0, 0.5, 2.0, HOUR - 1],
        [3600, -1, 1, 0, 0, 0.25, 2.0, HOUR + 5],
        [3600, 2, 2, 2, 1, 1.25, 4.0, 2 * HOUR - 7],
    ]
    assert first["spans"] == [[-1, -1], [HOUR - 1, HOUR - 1], [HOUR, HOUR + 5], [2 * HOUR - 7, 2 * HOUR - 7]]
    assert (second["active_model_id"], second["model_id"], second["horizon_minutes"]) == (2, 12, 5)
    assert second["cells"] == [[3600, 2, 1, 0, 0, 0.25, 2.0, 2 * HOUR - 7]]
    assert second["spans"] == [[2 * HOUR - 7, 2 * HOUR - 7]]
