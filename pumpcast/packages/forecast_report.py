"""How good a forecaster is on candles that it never saw, against knowing nothing."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.forecast_features import HORIZONS
from pumpcast.packages.parts import Parts, answered, every
from pumpcast.packages.recipes import QUANTILES
from pumpcast.packages.windows import Windows

Floats = NDArray[np.float64]

MEDIAN: Final = QUANTILES.index(0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Errors of a forecast; log returns. The naive forecast is the quantiles of the training returns of each step."""

    pinball: float
    """Mean pinball loss of all quantiles."""
    pinball_naive: float
    median_error: float
    """Mean absolute error of the median."""
    no_change_error: float
    """The same of the forecast that the price stays."""
    coverage: float
    """Share of the returns between the lowest and the highest quantile."""
    right_direction: float
    """Share of the moves whose direction the median has."""
    usual_direction: float
    """Share of the moves that went the more frequent way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepErrors:
    """Errors at one step."""

    step: int
    """Candles ahead."""
    errors: Errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastReport:
    """Errors over all steps and at some of them."""

    windows: int
    """Forecasts that were compared."""
    coverage_meant: float
    overall: Errors
    by_step: tuple[StepErrors, ...]

    @property
    def beats_naive(self) -> bool:
        """Whether its quantiles are better than those of the training returns."""
        return self.overall.pinball < self.overall.pinball_naive


def report_forecast(windows: Windows, parts: Parts, forecasts: Floats) -> ForecastReport:
    """Compare the forecasts (k, 192, 3) of the answered candles of the test part with what came."""
    rows = every(answered(parts.test))
    labels = windows.labels(rows).astype(np.float64)
    fitted = windows.labels(every(parts.fit))
    naive: Floats = np.quantile(fitted, QUANTILES, axis=0).T.astype(np.float64)
    by_step = (
        StepErrors(step=place + 1, errors=errors(labels[:, [place]], forecasts[:, [place]], naive[[place]]))
        for place in HORIZONS
    )
    return ForecastReport(
        windows=len(rows),
        coverage_meant=round(QUANTILES[-1] - QUANTILES[0], 6),
        overall=errors(labels, forecasts, naive),
        by_step=tuple(by_step),
    )


def errors(labels: Floats, forecasts: Floats, naive: Floats) -> Errors:
    """Give the errors of forecasts (k, P, 3) and of the naive one (P, 3) for labels (k, P).

    >>> forecasts = np.array([[[0.0, 0.01, 0.03]], [[0.0, 0.01, 0.03]]])
    >>> told = errors(np.array([[0.02], [-0.01]]), forecasts, np.zeros((1, 3)))
    >>> told.coverage, told.right_direction, told.usual_direction, round(told.median_error, 9), told.no_change_error
    (0.5, 0.5, 0.5, 0.015, 0.015)
    """
    median = forecasts[..., MEDIAN]
    moved = labels != 0
    up = float((labels > 0).sum() / max(moved.sum(), 1))
    return Errors(
        pinball=_pinball(labels, forecasts),
        pinball_naive=_pinball(labels, naive[None]),
        median_error=float(np.abs(labels - median).mean()),
        no_change_error=float(np.abs(labels).mean()),
        coverage=float(((labels >= forecasts[..., 0]) & (labels <= forecasts[..., -1])).mean()),
        right_direction=float((np.sign(labels) == np.sign(median))[moved].mean()) if moved.any() else 0.0,
        usual_direction=max(up, 1 - up),
    )


def _pinball(labels: Floats, forecasts: Floats) -> float:
    error, quantiles = labels[..., None] - forecasts, np.array(QUANTILES)
    return float(np.maximum(quantiles * error, (quantiles - 1) * error).mean())
