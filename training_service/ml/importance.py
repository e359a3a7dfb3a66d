"""What the exported model loses when one feature is shuffled."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.scoring import average_precision
from training_service.ml.fit import Answers, Features

ROWS = 4000
REPEATS = 3
_FEWEST_ROWS = 500
# Rows × features × repeats × trees that the exported forest answers in about a second on one core.
_MOST_WORK = 24_000_000


class Predictor(Protocol):
    """A model as it is exported."""

    def probabilities(self, features: Features) -> Floats:
        """Give the probability of each row."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much average precision falls when one feature says nothing any more."""

    mean: float
    """Over the repeats; about 0, or a little below, for a feature that is not needed."""
    std: float


def permutation_importance(
    predictor: Predictor, features: Features, answers: Answers, names: tuple[str, ...], *, trees: int,
    random_state: int,
) -> dict[str, Importance]:  # fmt: skip
    """Shuffle one feature after the other and give the fall of average precision.

    Of rare answers half of the drawn rows are taken as far as there are so many; weights restore the base rate. Fewer
    rows are drawn for many trees or features, so that the time stays about the same.

    Args:
        predictor: the exported model.
        features: float32[n, F] of rows the model never saw.
        answers: int8[n].
        names: the F names.
        trees: how many trees the model has, for the number of rows; 1 for a model without trees.
        random_state: seed of the rows and of the shuffling.

    Returns:
        Name → fall; empty without a row of each answer.

    Source:
        L. Breiman, Random Forests, Machine Learning 45, 2001.

    """
    random = np.random.default_rng(random_state)
    work = max(len(names) * REPEATS * max(trees, 1), 1)
    rows, weights = _draw(answers, most=max(min(ROWS, _MOST_WORK // work), _FEWEST_ROWS), random=random)
    if not len(rows):
        return {}
    sample, truth = features[rows], answers[rows]
    whole = _precision(predictor, sample, truth, weights)
    found = {}
    for column, name in enumerate(names):
        original = sample[:, column].copy()
        falls = []
        for _ in range(REPEATS):
            sample[:, column] = original[random.permutation(len(original))]
            falls.append(whole - _precision(predictor, sample, truth, weights))
        sample[:, column] = original
        found[name] = Importance(mean=float(np.mean(falls)), std=float(np.std(falls, ddof=1)))
    return found


def _draw(answers: Answers, *, most: int, random: Any) -> tuple[Any, Floats]:
    """Give rows and how many rows each of them stands for; nothing with one answer only."""
    parts, weights = [], []
    kinds = [np.flatnonzero(answers == answer) for answer in (0, 1)]
    if not all(map(len, kinds)):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    for own, other in (kinds, kinds[::-1]):
        count = min(len(own), max(most // 2, most - len(other)))
        parts.append(random.choice(own, count, replace=False))
        weights.append(np.full(count, len(own) / count))
    return np.concatenate(parts), np.concatenate(weights)


def _precision(predictor: Predictor, features: Features, answers: Answers, weights: Floats) -> float:
    return average_precision(predictor.probabilities(features), answers, weights) or 0.0
