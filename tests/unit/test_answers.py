"""What models answer to a batch."""

from pathlib import Path

import numpy as np

from prediction_service.runtime.admission import Admission
from prediction_service.runtime.answers import LiveModel, answer
from prediction_service.runtime.models import LoadedModel
from prediction_service.runtime.position import Interval, Position
from shared.artifact import Scorer
from shared.coin_metrics.read import Batch, Histories
from shared.contracts.artifact import NoCalibration
from shared.features import FeatureSpec
from tests.support.models import make_model, sigmoid_onnx


def model(folder: Path, active_id: int, *, scale: float) -> LiveModel:
    """Give a model on volume_sol that owes every row; with an infinite scale a volume of 0 has no score."""
    manifest, _ = make_model(folder / f"{active_id}.zip", model_id=active_id, features=("volume_sol",), column=0)
    scorer = Scorer(sigmoid_onnx(1, column=0, scale=scale), NoCalibration())
    return LiveModel(
        active_id=active_id,
        model_id=active_id,
        loaded=LoadedModel(manifest=manifest, spec=FeatureSpec(manifest.features), scorer=scorer),
        alert_threshold=0.7,
        phases=None,
        coins=None,
        intervals=(Interval(start=Position(high=0, pending=()), until=None),),
    )


def test_answer_when_a_model_gives_no_number_for_a_row_then_that_answer_is_left_out_and_counted(tmp_path: Path):
    volumes = np.array([[2.0], [0.0], [3.0]])
    times = np.array([1, 2, 3], np.int64)
    batch = Batch(id=times, mint=["a", "b", "c"], timestamp=times, phase=np.ones(3, np.int64), values=volumes)
    admitted = Admission(clock=0, max_age=1000).admit(batch, wall=10)
    histories = Histories(values=volumes[:, None, :], timestamp=times[:, None], count=np.ones(3, np.int64))

    answers, skipped = answer(
        [model(tmp_path, 1, scale=np.inf), model(tmp_path, 2, scale=1.0)],
        admitted,
        histories,
        columns=("volume_sol",),
        known=set(),
    )

    assert [(given.model.active_id, given.rows.tolist()) for given in answers] == [(1, [0, 2]), (2, [0, 1, 2])]
    assert +skipped == {"no_score": 1}
