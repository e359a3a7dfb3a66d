"""Which candles train what: parts of a history in the order of time, with a gap between them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pumpcast.packages.recipes import PREDICTION_LENGTH, Recipe
from shared.errors import Invalid

SHARES: Final = (50, 35, 15)
"""Percent of the candles at which a forecast can be made."""
FEWEST: Final = 200
"""Candles of a part from which something can be learnt or told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Candles by their place in the history. What a candle of one part looks at or asks for lies in that part alone."""

    fit: range
    """The forecaster learns at these."""
    learn: range
    """The policy learns at these, on forecasts by a forecaster that was fitted without them."""
    test: range
    """Nothing learns at these."""

    @property
    def validation(self) -> range:
        """Give the part of `learn` whose loss tells when the forecaster has learnt enough."""
        return range(self.learn.start, self.learn.start + len(answered(self.learn)) // 2)


def answered(part: range) -> range:
    """Give the candles of a part whose whole horizon lies within it."""
    return range(part.start, max(part.stop - PREDICTION_LENGTH, part.start))


def every(part: range) -> NDArray[np.int64]:
    """Give the candles of a part as an array."""
    return np.arange(part.start, part.stop)


def split(count: int, recipe: Recipe) -> Parts:
    """Cut a history of `count` candles: half, 35 %, 15 %, each as far from the next as a window and a horizon reach.

    The fit part is meant with its labels: they reach `PREDICTION_LENGTH` candles into the gap behind it.

    >>> from pumpcast.packages.recipes import RECIPES
    >>> parts = split(14_592, RECIPES["small"])
    >>> parts.fit, parts.learn, parts.test
    (range(1183, 7183), range(7887, 12087), range(12791, 14592))
    """
    free = count - recipe.first_row - 2 * recipe.purge
    lengths = [free * share // 100 for share in SHARES]
    if min(lengths) < FEWEST + PREDICTION_LENGTH:
        needed = recipe.first_row + 2 * recipe.purge + -(-(FEWEST + PREDICTION_LENGTH) * 100 // SHARES[-1])
        raise Invalid(
            f"{count} candles without a gap are too few: this size needs {needed}, as {recipe.first_row} come before "
            f"the first forecast and {recipe.purge} are left out twice between training, policy and test"
        )
    fit = range(recipe.first_row, recipe.first_row + lengths[0])
    learn = range(fit.stop + recipe.purge, fit.stop + recipe.purge + lengths[1])
    return Parts(fit=fit, learn=learn, test=range(learn.stop + recipe.purge, count))
