"""Right and wrong predictions at a threshold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Floats

Answers = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Counts of right and wrong predictions, and the shares that follow from them.

    >>> counts = Confusion(tp=3, tn=90, fp=1, fn=6)
    >>> counts.precision, counts.recall and round(counts.recall, 3), counts.accuracy
    (0.75, 0.333, 0.93)
    """

    tp: int
    tn: int
    fp: int
    fn: int

    @property
    def rows(self) -> int:
        """Give the number of rows."""
        return self.tp + self.tn + self.fp + self.fn

    @property
    def accuracy(self) -> float | None:
        """Give the share of right predictions."""
        return _share(self.tp + self.tn, self.rows)

    @property
    def precision(self) -> float | None:
        """Give the share of ones among the rows predicted 1; None when none is."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Give the share of the ones that were predicted; None without ones."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """Give the harmonic mean of precision and recall, 2·tp / (2·tp + fp + fn)."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def fpr(self) -> float | None:
        """Give the share of the zeros that were predicted 1; None without zeros."""
        return _share(self.fp, self.fp + self.tn)

    @property
    def fnr(self) -> float | None:
        """Give the share of the ones that were predicted 0; None without ones."""
        return _share(self.fn, self.fn + self.tp)

    @property
    def mcc(self) -> float | None:
        """Give the correlation of prediction and answer (B. Matthews, 1975), 0 when all are predicted alike."""
        ones, zeros = self.tp + self.fn, self.tn + self.fp
        if not ones or not zeros:
            return None
        spread = (self.tp + self.fp) * (self.tn + self.fn) * ones * zeros
        return (self.tp * self.tn - self.fp * self.fn) / float(spread) ** 0.5 if spread else 0.0


def confusion(scores: Floats, answers: Answers, threshold: float) -> Confusion:
    """Count the predictions at a threshold.

    >>> confusion(np.array([0.2, 0.5, 0.9]), np.array([0, 0, 1]), 0.5)
    Confusion(tp=1, tn=1, fp=1, fn=0)
    """
    said, true = scores >= threshold, answers.astype(np.bool_)
    tn, fn, fp, tp = np.bincount(2 * said + true, minlength=4).tolist()
    return Confusion(tp=tp, tn=tn, fp=fp, fn=fn)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
