"""Make a rare answer less rare among the rows to learn from: synthetic rows of the rare one, fewer of the other."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Floats
from shared.features import Notice
from training_service.ml.fit import Answers, Features
from training_service.ml.model_types import THREADS

RARE = 0.3
OVER, UNDER = 0.5, 0.8  # rare rows for each common one, after SMOTE and after undersampling
NEIGHBOURS = 5


class ResampleError(Exception):
    """These rows cannot be resampled, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """Rows to learn from: those kept, in their order, then the synthetic ones."""

    features: Features
    """float32[n, F], NaN = missing."""
    answers: Answers
    kept: NDArray[np.int64]
    """Which rows were kept; they are the first len(kept) of the features, unchanged."""
    base: NDArray[np.int64]
    """Which row each synthetic one was made from."""
    notice: Notice | None


def resample(features: Features, answers: Answers, *, random_state: int) -> Resampled:
    """Add synthetic rows of the rare answer (SMOTE to 0.5), then leave out rows of the other (to 0.8).

    A synthetic row lies between a base row and one of its five nearest rows of the same answer; distances are measured
    on standardised columns, as one of large numbers would drown the others. Nothing is done when each answer has at
    least 30 % of the rows.

    Args:
        features: float32[n, F], no infinity. For SMOTE alone a missing value is the column's median; a synthetic row
            is missing where its base row is.
        answers: int8[n], 0 or 1.
        random_state: the same rows and state give the same rows.

    Raises:
        ResampleError: the rare answer has fewer than two rows.

    Source:
        N. Chawla et al., SMOTE: Synthetic Minority Over-sampling Technique, JAIR 16, 2002.

    >>> features = np.arange(20, dtype=np.float32)[:, None]
    >>> found = resample(features, (np.arange(20) < 4).astype(np.int8), random_state=1)
    >>> found.answers.sum(), len(found.answers), set(found.base.tolist()) <= {0, 1, 2, 3}
    (np.int64(8), 18, True)

    """
    rare = rarer(answers)
    if rare is None:
        share = answers.mean()
        message = f"{share:.0%} of the rows to fit on are positive, neither answer is rare: they were not resampled"
        everything = np.arange(len(answers))
        return Resampled(
            features=features, answers=answers, kept=everything, base=everything[:0],
            notice=Notice(code="not_resampled", message=message),
        )  # fmt: skip
    members = np.flatnonzero(answers == rare)
    filled = _filled(features)
    drawn = _draw(filled, answers, neighbours=min(NEIGHBOURS, len(members) - 1), random_state=random_state)
    base, neighbour = members[drawn.rows], members[drawn.neighbours]
    synthetic = _between(filled[base], filled[neighbour], drawn.steps)
    synthetic[np.isnan(features[base])] = np.nan
    kept, made = _thin_out(answers, len(base), rare, random_state=random_state)
    return Resampled(
        features=np.concatenate([features[kept], synthetic[made]]),
        answers=np.concatenate([answers[kept], np.full(len(made), rare, answers.dtype)]),
        kept=kept,
        base=base[made],
        notice=None,
    )


def rarer(answers: Answers) -> int | None:
    """Give the answer that is rare enough to be resampled; None where neither is.

    Raises:
        ResampleError: it has fewer than two rows.

    >>> rarer(np.array([0, 0, 0, 0, 0, 0, 0, 1, 1], np.int8)), rarer(np.array([0, 1], np.int8))
    (1, None)
    """
    share = float(answers.mean()) if len(answers) else 0.0
    if RARE <= share <= 1 - RARE:
        return None
    rare = int(share < RARE)
    members = int(np.count_nonzero(answers == rare))
    if members < 2:  # noqa: PLR2004 - a row and a neighbour
        raise ResampleError(
            f"SMOTE needs two rows of the rarer answer; {'positive' if rare else 'negative'} ones among the "
            f"{len(answers)} rows to fit on: {members}"
        )
    return rare


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    rows: NDArray[np.int64]
    """Positions among the rare rows."""
    neighbours: NDArray[np.int64]
    steps: Floats
    """How far from the base row to the neighbour, 0..1."""


def _filled(features: Features) -> Features:
    filled = features.copy()
    for column in filled.T:
        missing = np.isnan(column)
        column[missing] = 0 if missing.all() else np.median(column[~missing])
    return filled


def _standardised(filled: Features) -> Features:
    standardised = np.empty_like(filled)
    for number, column in enumerate(filled.T):
        # Squares of market caps do not fit into float32.
        values = column.astype(np.float64)
        standardised[:, number] = (values - values.mean()) / (values.std() or 1)
    return standardised


def _draw(filled: Features, answers: Answers, *, neighbours: int, random_state: int) -> _Drawn:
    """Let SMOTE find neighbours and draw; its own rows, made of standardised values, are not used."""
    from imblearn.over_sampling import SMOTE
    from threadpoolctl import threadpool_limits

    drawn: list[_Drawn] = []

    class RecordingSmote(SMOTE):  # type: ignore[misc]
        # The public interface does not tell which rows a synthetic one was made from.
        def _generate_samples(self, *given: Any) -> Any:
            _, _, nearest, rows, columns, steps, *_ = given
            drawn.append(_Drawn(rows=rows, neighbours=nearest[rows, columns], steps=steps[:, 0]))
            return super()._generate_samples(*given)

    sampler = RecordingSmote(sampling_strategy=OVER, k_neighbors=neighbours, random_state=random_state)
    # Equal distances are told apart in an order that depends on the number of threads.
    with threadpool_limits(THREADS):
        sampler.fit_resample(_standardised(filled), answers)
    nothing = np.empty(0, np.int64)
    return drawn[0] if drawn else _Drawn(rows=nothing, neighbours=nothing, steps=np.empty(0))


def _between(base: Features, neighbour: Features, steps: Floats) -> Features:
    near = base.astype(np.float64)
    return np.asarray(near + steps[:, None] * (neighbour - near), np.float32)


def _thin_out(
    answers: Answers, synthetic: int, rare: int, *, random_state: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    from imblearn.under_sampling import RandomUnderSampler

    everything = np.concatenate([answers, np.full(synthetic, rare, answers.dtype)])
    sampler = RandomUnderSampler(sampling_strategy=UNDER, random_state=random_state)
    sampler.fit_resample(np.zeros((len(everything), 1), np.int8), everything)
    chosen = np.sort(sampler.sample_indices_)
    return chosen[chosen < len(answers)], chosen[chosen >= len(answers)] - len(answers)
