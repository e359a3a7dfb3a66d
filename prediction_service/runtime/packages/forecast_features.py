"""The block forecast35: what a policy sees of a forecast."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FORECAST_STEPS: Final = 192
HORIZONS: Final = (3, 15, 47, 95, 191)
PATH: Final = tuple(range(15, FORECAST_STEPS, 16))
_EARLY: Final = 48
FORECAST_NAMES: Final = (
    *(f"{name}_{step}" for step in HORIZONS for name in ("lower", "median", "upper")),
    *(f"path_{step}" for step in PATH),
    "lowest", "highest", "time_to_lowest", "time_to_highest", "max_drawdown", "max_runup", "early_slope", "late_slope",
)  # fmt: skip


def forecast_features(curves: Floats) -> Floats:
    """Sum up a forecast of 192 steps in the 35 numbers of `FORECAST_NAMES`.

    15 are lower quantile, median, upper quantile at the steps of `HORIZONS` (counted from 0), 12 the median at the
    steps of `PATH`. The last eight are of the median m with m[0] = 0 put before it, 193 values: lowest and highest;
    where they first are, / 192; max over t of (highest so far − m[t]) and of (m[t] − lowest so far); m[48] / 48;
    (m[192] − m[48]) / 144.

    Shapes and types: float64 (192, 3), columns lower, median, upper; gives float64 (35,).
    Units: log returns since now; times are shares of 192 steps, 0 is now; slopes per step.
    NaN: not expected; one makes what it touches NaN.
    Raises: ValueError for another shape.

    >>> rise = np.linspace(1, 192, 192)
    >>> block = forecast_features(np.stack([rise - 1, rise, rise + 1], axis=1))
    >>> block[:6].tolist(), block[27:].tolist()
    ([3.0, 4.0, 5.0, 15.0, 16.0, 17.0], [0.0, 192.0, 0.0, 1.0, 0.0, 192.0, 1.0, 1.0])
    """
    if curves.shape != (FORECAST_STEPS, 3):
        raise ValueError(f"forecast35 needs curves of shape ({FORECAST_STEPS}, 3), not {curves.shape}")
    median = np.concatenate(([0.0], curves[:, 1]))
    lowest, highest = median.argmin(), median.argmax()
    shape = (
        median[lowest],
        median[highest],
        lowest / FORECAST_STEPS,
        highest / FORECAST_STEPS,
        (np.maximum.accumulate(median) - median).max(),
        (median - np.minimum.accumulate(median)).max(),
        median[_EARLY] / _EARLY,
        (median[-1] - median[_EARLY]) / (FORECAST_STEPS - _EARLY),
    )
    return np.concatenate((curves[list(HORIZONS)].ravel(), curves[list(PATH), 1], shape))
