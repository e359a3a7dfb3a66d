"""How far a distribution has moved from the one a model learnt."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

DriftLevel = Literal["ok", "moderate", "strong"]

MODERATE = 0.1
STRONG = 0.25
_HALF_A_ROW = 0.5


def population_stability_index(
    expected_counts: Sequence[int] | NDArray[Any], actual_counts: Sequence[int] | NDArray[Any]
) -> float | None:
    """Give Σ (a - e) · ln(a / e) over the bins, where a and e are the shares of the actual and the expected rows.

    Both are counts [b] of any number type, at least 0, of the same bins in the same order; missing values are no NaN
    here but a bin like any other (see `histogram_counts`), so that a column that falls silent counts. The result is 0
    for equal shares, grows without bound, and does not depend on the order of the bins or on which side is which. It
    is None when one side has no rows.

    A share of 0 would make it infinite: half a row is added to every bin of both sides. Bins that are empty on both
    sides are left out first, as they would only add what that half row is worth on sides of different sizes. Even rows
    of one distribution give about (b - 1) · (1 / rows + 1 / rows) instead of 0: small samples say nothing.

    Raises ValueError when the bins differ in number or a count is below 0.

    Source: N. Siddiqi, Credit Risk Scorecards (2006), with the customary levels of `drift_level`; the size for equal
    distributions is that of B. Yurdakul, Statistical Properties of Population Stability Index (2018).

    >>> round(population_stability_index([40, 40, 20], [400, 400, 200]), 3)
    0.0
    >>> round(population_stability_index([50, 50, 0], [25, 75, 0]), 3)
    0.269
    >>> round(population_stability_index([50, 50, 0], [40, 40, 20]), 3)
    0.775
    >>> population_stability_index([50, 50], [0, 0]) is None
    True
    """
    expected, actual = np.asarray(expected_counts, np.float64), np.asarray(actual_counts, np.float64)
    if expected.shape != actual.shape or expected.ndim != 1:
        raise ValueError(f"{expected.shape} and {actual.shape} are no counts of the same bins")
    if np.any(expected < 0) or np.any(actual < 0):
        raise ValueError("counts are at least 0")
    if not expected.sum() or not actual.sum():
        return None
    used = (expected > 0) | (actual > 0)
    e, a = _shares(expected[used]), _shares(actual[used])
    return float(np.sum((a - e) * np.log(a / e)))


def drift_level(index: float) -> DriftLevel:
    """Give the customary reading of an index: below 0.1 nothing has happened, from 0.25 on something has.

    >>> drift_level(0.02), drift_level(0.1), drift_level(0.3)
    ('ok', 'moderate', 'strong')
    """
    if index < MODERATE:
        return "ok"
    return "moderate" if index < STRONG else "strong"


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    held = counts + _HALF_A_ROW
    shares: NDArray[np.float64] = held / held.sum()
    return shares
