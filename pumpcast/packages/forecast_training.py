"""Training of a forecaster: quantiles of the log return over each of the next 192 steps."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prediction_service.runtime.packages.forecaster import Forecaster, build_forecaster, forecast_channel
from prediction_service.runtime.packages.patchtst import PatchTst, window_scale
from pumpcast.packages.parts import Parts, answered, every
from pumpcast.packages.recipes import PREDICTION_LENGTH, QUANTILES
from pumpcast.packages.windows import Windows

BATCH: Final = 64
LEARNING_RATE: Final = 1e-3
WEIGHT_DECAY: Final = 1e-2
PATIENCE: Final = 4
"""Epochs without a better validation loss after which training ends."""
VALIDATED: Final = 1000
"""Windows whose loss is looked at after each epoch; neighbours hardly differ."""
LARGEST_GRADIENT: Final = 1.0
FORECAST_BATCH: Final = 256
SAMPLED: Final = 1000
"""Windows whose returns the first forecast is made of."""
FIRST_WEIGHTS: Final = 0.1
"""Of the head, as a part of what they usually are."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedForecaster:
    """A trained network and how it came about."""

    forecaster: Forecaster
    config: dict[str, Any]
    epochs: int
    """Run, the best of which was kept."""
    best_epoch: int
    """Counted from 1."""
    validation_loss: float
    """Pinball loss at each step in units of the usual return over that step."""

    @property
    def state_dict(self) -> dict[str, Tensor]:
        """Give the tensors of the network."""
        state: dict[str, Tensor] = self.forecaster.network.state_dict()
        return state


def pinball(forecast: Tensor, label: Tensor, quantiles: Tensor) -> Tensor:
    """Give the pinball loss max(q · e, (q − 1) · e) with e = label − forecast.

    Shapes: forecast (n, P, Q), label (n, P), quantiles (Q,); gives (n, P, Q) in units of the label.
    Source: Koenker, Bassett, Regression Quantiles, Econometrica 46 (1978).

    >>> pinball(torch.tensor([[[1.0]]]), torch.tensor([[3.0]]), torch.tensor([0.8])).item()
    1.600000023841858
    """
    error = label[..., None] - forecast
    return torch.maximum(quantiles * error, (quantiles - 1) * error)


def fit_forecaster(
    windows: Windows, parts: Parts, config: dict[str, Any], *, epochs: int, seed: int, on_progress: Progress
) -> FittedForecaster:
    """Fit on windows of the fit part until those of the validation part are forecast no better.

    The same seed gives the same network on the same machine.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network = build_forecaster(windows.forecast, config)
    channel = forecast_channel(windows.forecast, config)
    _begin_naive(network, channel, windows, parts)
    rows = every(parts.fit)
    validation = spread(parts.validation, VALIDATED)
    # A miss over 192 steps is usually fourteen times one over a single step: each step counts the same.
    usual = torch.from_numpy(np.maximum(windows.labels(rows).std(axis=0), 1e-9))
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    best, best_epoch, kept, epoch = float("inf"), 0, copy.deepcopy(network.state_dict()), 0
    shuffle = np.random.default_rng(seed)
    batches = -(-len(rows) // BATCH)
    for epoch in range(1, epochs + 1):
        network.train()
        for number, batch in enumerate(np.array_split(shuffle.permutation(rows), batches)):
            optimizer.zero_grad()
            loss = _loss(network, channel, windows, batch, usual)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            on_progress((epoch - 1) * batches + number + 1)
        now = _validation_loss(network, channel, windows, validation, usual)
        if now < best:
            best, best_epoch, kept = now, epoch, copy.deepcopy(network.state_dict())
        elif epoch - best_epoch >= PATIENCE:
            break
    network.load_state_dict(kept)
    forecaster = Forecaster(network, channel=channel)
    return FittedForecaster(
        forecaster=forecaster, config=config, epochs=epoch, best_epoch=best_epoch, validation_loss=best
    )


def batches_of(parts: Parts, epochs: int) -> int:
    """Give how many batches a training takes at most."""
    return epochs * -(-len(parts.fit) // BATCH)


def spread(part: range, most: int) -> NDArray[np.int64]:
    """Give candles of a part at even distances whose horizon lies within it, at most so many."""
    rows = answered(part)
    return np.arange(rows.start, rows.stop, max(1, -(-len(rows) // most)))


def forecast_at(windows: Windows, forecaster: Forecaster, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Forecast from these candles, (k, 192, 3)."""
    chunks = [rows[start : start + FORECAST_BATCH] for start in range(0, len(rows), FORECAST_BATCH)]
    return np.concatenate([forecaster.predict_many(windows.at(chunk)) for chunk in chunks])


def _begin_naive(network: PatchTst, channel: int, windows: Windows, parts: Parts) -> None:
    """Let an untrained network forecast the quantiles of the returns, in units of what each window has as its scale.

    It then has to learn only in what it differs from knowing nothing, and overfits later.
    """
    rows = spread(range(parts.fit.start, parts.fit.stop + PREDICTION_LENGTH), SAMPLED)
    location, scale = window_scale(torch.from_numpy(windows.at(rows)), network.config)
    returns = (torch.from_numpy(windows.labels(rows)) - location[:, :, channel]) / scale[:, :, channel]
    with torch.no_grad():
        network.head.projection.weight.mul_(FIRST_WEIGHTS)
        network.head.projection.bias.copy_(torch.quantile(returns, torch.tensor(QUANTILES), dim=0).T.reshape(-1))


def _loss(network: nn.Module, channel: int, windows: Windows, rows: NDArray[np.int64], usual: Tensor) -> Tensor:
    forecast = network(torch.from_numpy(windows.at(rows)))[..., channel]
    labels = torch.from_numpy(windows.labels(rows))
    quantiles = torch.tensor(QUANTILES)
    return (pinball(forecast, labels, quantiles) / usual[:, None]).mean()


def _validation_loss(
    network: nn.Module, channel: int, windows: Windows, rows: NDArray[np.int64], usual: Tensor
) -> float:
    network.eval()
    with torch.inference_mode():
        chunks = np.array_split(rows, -(-len(rows) // FORECAST_BATCH))
        losses = [_loss(network, channel, windows, chunk, usual).item() * len(chunk) for chunk in chunks]
    return sum(losses) / len(rows)
