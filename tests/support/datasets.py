"""A dataset of one feature, as training makes them from rows."""

import numpy as np

from shared.features import FeatureSpec
from shared.labels import Readings
from tests.support.market_rows import MINUTE, START, one_coin
from training_service.ml.dataset import Dataset


def dataset(probabilities, answers, *, base_rate=None):
    count = len(answers)
    timestamp = START + np.arange(count) * MINUTE
    positives = int(np.sum(answers)) if base_rate is None else round(base_rate * count)
    return Dataset(
        spec=FeatureSpec(("volume_sol",)),
        features=np.asarray(probabilities, np.float32)[:, None],
        answers=np.asarray(answers, np.int8),
        timestamp=timestamp,
        coin=np.zeros(count, np.int64),
        change_pct=np.where(np.asarray(answers) == 1, 20.0, -5.0),
        reserves_sol=np.full(count, 30.0),
        position=np.arange(count),
        rows=one_coin(timestamp.tolist()),
        readings=Readings(
            rows=count, resolved=count, positives=positives, unresolved={}, resolved_without_observation=0,
            recording_resolved=count, recording_positives=positives, observed_resolved=count,
            observed_positives=positives,
        ),
        notices=(),
    )  # fmt: skip
