"""Windows and labels of a forecaster, for any candles of a history at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.channels import Scales, fit_scales, scaled_channels
from prediction_service.runtime.packages.core import core_features
from pumpcast.packages.recipes import PREDICTION_LENGTH, TARGET, Recipe
from shared.contracts.packages import Forecast

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """What a forecaster looks at and is asked for, at every candle of a history."""

    core: Floats
    """(n, 28) features of each candle."""
    forecast: Forecast
    """With the scales of its channels."""
    scales: Scales
    inputs: Singles
    """(n, C) scaled channels; NaN in the first rows."""
    log_price: Floats
    """(n,) logarithm of the close."""

    def at(self, rows: NDArray[np.int64]) -> Singles:
        """Give the windows that end with these candles, (k, context_length, C)."""
        length = self.forecast.context_length
        windows: Singles = self.inputs[rows[:, None] + np.arange(1 - length, 1)]
        return windows

    def labels(self, rows: NDArray[np.int64]) -> Singles:
        """Give the log returns from these candles over 1, 2, …, 192 steps, (k, 192)."""
        ahead = self.log_price[rows[:, None] + np.arange(1, PREDICTION_LENGTH + 1)]
        labels: Singles = (ahead - self.log_price[rows, None]).astype(np.float32)
        return labels


def make_windows(candles: Candles, recipe: Recipe, fitted_to: int) -> Windows:
    """Compute features and scale the channels by what the first `fitted_to` candles look like.

    ret_1 stays as it is: the network scales each window by its own spread, and forecasts in units of that.
    """
    core = core_features(candles)
    unscaled = recipe.forecast({TARGET: (0.0, 1.0)})
    fitted = fit_scales(core[:fitted_to], unscaled)
    known = {
        name: (float(mean), float(scale))
        for name, mean, scale in zip(recipe.channels, fitted.mean, fitted.scale, strict=True)
    }
    forecast = recipe.forecast(known)
    scales = fit_scales(core, forecast)
    inputs = scaled_channels(core, forecast, scales).astype(np.float32)
    return Windows(core=core, forecast=forecast, scales=scales, inputs=inputs, log_price=np.log(candles.close))
