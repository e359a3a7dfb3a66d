"""Between the candles' features and a forecaster: scaled channels in, a curve of log returns out."""

from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.core import CORE_NAMES
from shared.contracts.packages import Channel, Forecast
from shared.errors import PackageInvalid

Floats = NDArray[np.float64]

STEP_CHANNEL: Final = "ret_1"
_COLUMN: Final = {name: place for place, name in enumerate(CORE_NAMES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """What channels are centred on and divided by, in the order of the manifest."""

    mean: Floats
    """float64 (C,), in units of the transformed channel."""
    scale: Floats
    """float64 (C,), > 0."""
    from_warmup: tuple[str, ...]
    """Channels whose scale no manifest told, so that it was taken from the rows at hand."""


def check_channels(forecast: Forecast) -> None:
    """Refuse channels that are no columns of core28, and steps that no price can be summed from."""
    for place, channel in enumerate(forecast.channels):
        if channel.name not in _COLUMN:
            raise PackageInvalid(
                f"forecast.channels[{place}] is {channel.name!r}, which is no column of core28: {', '.join(CORE_NAMES)}"
            )
    if forecast.output.kind == "step_log_return" and forecast.output.channel != STEP_CHANNEL:
        raise PackageInvalid(
            f"forecast.output.channel is {forecast.output.channel!r}: prices are summed from {STEP_CHANNEL} only"
        )


def channel_places(forecast: Forecast) -> list[int]:
    """Give the column of core28 of each channel."""
    return [_COLUMN[channel.name] for channel in forecast.channels]


def fit_scales(core: Floats, forecast: Forecast) -> Scales:
    """Give the scale of every channel: the manifest's, else mean and standard deviation of the rows at hand.

    Shapes and types: core float64 (n, 28) as of `core_features`; the scales have shape (C,).
    Units: those of the transformed column. `ddof` is 0; a column that never changes has scale 1.
    NaN: rows that are not valid are left out; without a valid row nothing can be fitted.
    Raises: PackageInvalid for a channel that is no column of core28, ValueError without a valid row.
    Source: scikit-learn, StandardScaler, for what counts as never changing.

    >>> core = np.tile(np.arange(4.0)[:, None], 28)
    >>> forecast = Forecast(arch="patchtst/1", channels=[Channel(name="ret_1", transform="percent"),
    ...     Channel(name="ret_4", mean=0.0, scale=2.0)], context_length=4, patch_length=2, patch_stride=1, n_heads=1,
    ...     prediction_length=1)
    >>> scales = fit_scales(core, forecast)
    >>> scales.mean.tolist(), scales.scale.round(3).tolist(), scales.from_warmup
    ([150.0, 0.0], [111.803, 2.0], ('ret_1',))
    """
    check_channels(forecast)
    untold = [channel.name for channel in forecast.channels if channel.scale is None]
    mean = np.array([channel.mean or 0.0 for channel in forecast.channels])
    scale = np.array([channel.scale or 1.0 for channel in forecast.channels])
    if untold:
        rows = core[np.isfinite(core).all(axis=1)]
        if not len(rows):
            raise ValueError("no valid row to take scales from")
        fitted_mean, fitted_scale = _mean_and_scale(_transformed(rows, forecast))
        missing = np.array([channel.scale is None for channel in forecast.channels])
        mean, scale = np.where(missing, fitted_mean, mean), np.where(missing, fitted_scale, scale)
    return Scales(mean=mean, scale=scale, from_warmup=tuple(untold))


def scaled_channels(core: Floats, forecast: Forecast, scales: Scales) -> Floats:
    """Give (transform(x) − mean) / scale of every channel, float64 (n, C) for core (n, 28)."""
    return (_transformed(core, forecast) - scales.mean) / scales.scale


def forecaster_input(core: Floats, forecast: Forecast, scales: Scales) -> NDArray[np.float32]:
    """Give what the forecaster looks at: its channels over the newest `context_length` rows.

    Shapes and types: core float64 (n, 28) gives float32 (context_length, C), oldest row first.
    Units: (transform(x) − mean) / scale.
    NaN: none; the newest rows must be valid ones.
    Raises: ValueError for fewer valid rows than context_length.

    >>> forecast = Forecast(arch="patchtst/1", channels=[Channel(name="ret_1", mean=1.0, scale=2.0)],
    ...     context_length=2, patch_length=2, patch_stride=1, n_heads=1, prediction_length=1)
    >>> core = np.tile(np.arange(4.0)[:, None], 28)
    >>> forecaster_input(core, forecast, fit_scales(core, forecast)).tolist()
    [[0.5], [1.0]]
    """
    newest = core[-forecast.context_length :]
    valid = int(np.isfinite(newest).all(axis=1).sum())
    if valid < forecast.context_length:
        raise ValueError(f"{valid} of the newest {forecast.context_length} rows are valid")
    return scaled_channels(newest, forecast, scales).astype(np.float32)


def forecast_curves(prediction: Floats, forecast: Forecast, scales: Scales) -> Floats:
    """Read the numbers of the head as log(price at step / price now).

    Shapes and types: prediction float64 (P, Q), one column a quantile; gives float64 (P, 3): the lowest quantile, the
    median, the highest. A point forecast gives the same curve three times.
    Units: log return since the newest close. `step_log_return` is taken back to the units of its channel and summed;
    sums of a quantile of every step spread wider than that quantile of the sum, as steps do not all go wrong together.
    NaN: stays.
    Raises: ValueError for a prediction of another shape.

    >>> channel = Channel(name="ret_1", transform="percent", mean=0.5, scale=2.0)
    >>> forecast = Forecast(arch="patchtst/1", channels=[channel], context_length=2,
    ...     patch_length=2, patch_stride=1, n_heads=1, prediction_length=2, quantiles=[0.5],
    ...     output={"kind": "step_log_return", "channel": "ret_1"})
    >>> scales = fit_scales(np.zeros((2, 28)), forecast)
    >>> forecast_curves(np.array([[0.25], [-0.25]]), forecast, scales).round(9).tolist()
    [[0.01, 0.01, 0.01], [0.01, 0.01, 0.01]]
    """
    expected = (forecast.prediction_length, len(forecast.quantiles))
    if prediction.shape != expected:
        raise ValueError(f"a forecast of shape {prediction.shape} where {expected} was due")
    three = prediction[:, [0, forecast.quantiles.index(0.5), len(forecast.quantiles) - 1]].astype(np.float64)
    match forecast.output.kind:
        case "cumulative_log_return":
            return three
        case "step_log_return":
            place = [channel.name for channel in forecast.channels].index(str(forecast.output.channel))
            steps = _restored(three * scales.scale[place] + scales.mean[place], forecast.channels[place])
            return np.cumsum(steps, axis=0)
        case _ as never:
            assert_never(never)


def _transformed(core: Floats, forecast: Forecast) -> Floats:
    """Give the transformed columns of the channels, float64 (n, C), as a new array."""
    values: Floats = core[:, channel_places(forecast)]
    kinds = [channel.transform for channel in forecast.channels]
    if percent := [place for place, kind in enumerate(kinds) if kind == "percent"]:
        values[:, percent] *= 100.0
    if logarithmic := [place for place, kind in enumerate(kinds) if kind == "log1p"]:
        # Mirrored at 0, so that it is defined for what falls as for what rises.
        values[:, logarithmic] = np.copysign(np.log1p(np.abs(values[:, logarithmic])), values[:, logarithmic])
    return values


def _restored(values: Floats, channel: Channel) -> Floats:
    match channel.transform:
        case "none":
            return values
        case "percent":
            return values / 100.0
        case "log1p":
            return np.copysign(np.expm1(np.abs(values)), values)
        case _ as never:
            assert_never(never)


def _mean_and_scale(values: Floats) -> tuple[Floats, Floats]:
    mean, variance = values.mean(axis=0), values.var(axis=0)
    rounding = np.finfo(np.float64).eps * len(values)
    constant = variance <= rounding * variance + (rounding * mean) ** 2
    return mean, np.sqrt(np.where(constant, 1.0, variance))
