"""What a model said of rows, beside what was true."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.artifact import Scorer
from shared.coin_metrics.rows import Bools, Floats, Ints
from training_service.ml.dataset import Dataset
from training_service.ml.in_place import rows_of
from training_service.ml.split import Split

UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Rows with what a model said and what was true; arrays have one entry a row."""

    scores: Floats
    """As the model file gives them, before calibration."""
    probabilities: Floats
    answers: NDArray[np.int8]
    """0 or 1, `UNKNOWN` where nobody can tell."""
    timestamp: Ints
    """Microseconds since 1970."""
    coin: Ints
    change_pct: Floats
    """Realised change at the horizon in %; NaN where unknown."""
    reserves_sol: Floats
    """SOL side of the bonding curve at the row; NaN where missing."""
    observed: Bools
    """The coin was seen again at or after the horizon."""

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def is_answered(self) -> Bools:
        """Tell the rows whose answer is known."""
        return np.not_equal(self.answers, UNKNOWN)

    def take(self, which: Bools | Ints) -> Self:
        """Give some of the rows."""
        return replace(self, **{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def answered(self) -> Self:
        """Give the rows whose answer is known."""
        return self.take(self.is_answered)


def score_holdout(data: Dataset, split: Split, scorer: Scorer) -> Scored:
    """Ask the exported model about all rows of the hold-out's stretch of time, sorted by coin and time."""
    rows, rest = split.holdout, data.unanswered
    others = np.flatnonzero(rest.timestamp > split.holdout_us)
    scores = np.concatenate([scorer.scores(rows_of(data.features, rows)), scorer.scores(rest.features[others])])

    def both(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(data, name)[rows], getattr(rest, name)[others]])

    nobody = np.full(len(others), UNKNOWN, np.int8)
    return Scored(
        scores=scores,
        probabilities=scorer.calibrated(scores),
        answers=np.concatenate([data.answers[rows], nobody]),
        timestamp=both("timestamp"),
        coin=both("coin"),
        change_pct=both("change_pct"),
        reserves_sol=both("reserves_sol"),
        observed=np.concatenate([data.observed[rows], np.zeros(len(others), np.bool_)]),
    ).take(np.argsort(both("position")))
