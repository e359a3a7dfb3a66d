"""A dataset of one feature, as training makes them from rows."""

import numpy as np

from shared.features import FeatureSpec
from shared.labels import Readings
from tests.support.market_rows import MINUTE, START, one_coin
from training_service.ml.dataset import Dataset, Unanswered


def unanswered(probabilities=(), *, minutes=(), change_pct=(), coin=1):
    """Rows of one coin whose answer nobody knows, at minutes after the first answered one."""
    count = len(probabilities)
    return Unanswered(
        features=np.asarray(probabilities, np.float32).reshape(count, 1),
        timestamp=START + np.asarray(minutes, np.int64) * MINUTE,
        coin=np.full(count, coin),
        change_pct=np.asarray(change_pct, np.float64),
        reserves_sol=np.full(count, 30.0),
        position=np.arange(count) + 1_000_000,
    )


def dataset(probabilities, answers, *, base_rate=None, others=None):
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
        observed=np.ones(count, np.bool_),
        position=np.arange(count),
        unanswered=unanswered() if others is None else others,
        rows=one_coin(timestamp.tolist()),
        readings=Readings(
            rows=count, resolved=count, positives=positives, unresolved={}, resolved_without_observation=0,
            recording_resolved=count, recording_positives=positives, observed_resolved=count,
            observed_positives=positives,
        ),
        notices=(),
    )  # fmt: skip
