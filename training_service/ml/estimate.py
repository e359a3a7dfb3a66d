"""How long a job will take and how much memory it will hold."""

from collections.abc import Mapping
from dataclasses import dataclass

from training_service.ml.model_types import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a job has to do."""

    model_type: str
    params: Mapping[str, Value]
    loaded_rows: int
    """Histories and horizons included."""
    rows: int
    """Whose answer is known."""
    features: int
    columns: int
    """Of coin_metrics."""
    folds: int
    """Of the cross-validation; 0: none."""
    cv_splits: int
    """Folds of each trial."""
    trials: int
    """Of a search; 0: none."""
    fits: int
    """2 when the stored model is fitted on all rows again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What to expect."""

    seconds: float
    bytes: int


def estimate(work: Workload) -> Estimate:
    """Give time and memory."""
    return Estimate(seconds=1.0, bytes=1)
