"""Forecasts of bare state_dicts equal those of the network that they were saved from, built here once more."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from prediction_service.runtime.packages.bare_sizes import read_sizes, tensor_shapes
from prediction_service.runtime.packages.forecaster import load_forecaster
from shared.contracts.packages import Forecast
from shared.errors import PackageInvalid
from tests.support.package_files import saved

SIZES = [
    {},
    {"lookback": 29, "patch_len": 5, "stride": 3},
    {"n_heads": 2, "layers": 3, "ffn": 40},
    {"channels": 1, "steps": 4, "quantiles": 5, "hidden": 6},
]


class Made(nn.Module):
    """The layout as its models are written."""

    def __init__(
        self, *, channels=3, lookback=32, patch_len=8, stride=8, d_model=8, n_heads=4, layers=1, ffn=32, steps=6,
        quantiles=3, hidden=16,
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch_len, self.stride, self.steps, self.quantiles = patch_len, stride, steps, quantiles
        patches = len(range(0, lookback - patch_len + 1, stride))
        self.patch_embed = nn.Module()
        self.patch_embed.project = nn.Linear(patch_len, d_model)
        self.pos_embed = nn.Parameter(torch.randn(1, 1, patches, d_model))
        layer = nn.TransformerEncoderLayer(d_model, n_heads, ffn, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(channels * patches * d_model, hidden), nn.GELU(), nn.Dropout(),
            nn.Linear(hidden, steps * quantiles),
        )  # fmt: skip

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        """One window (length, channels), channel by channel."""
        hidden = []
        for series in window.T:
            starts = range(0, len(series) - self.patch_len + 1, self.stride)
            patches = torch.stack([series[start : start + self.patch_len] for start in starts])
            hidden.append(self.encoder((self.patch_embed.project(patches) + self.pos_embed[0, 0])[None])[0])
        return self.head(torch.stack(hidden)[None]).view(self.steps, self.quantiles)


def made(**sizes: Any) -> Made:
    torch.manual_seed(4)
    torch.set_num_threads(1)
    model = Made(**sizes).eval()
    for name, tensor in model.state_dict().items():
        if "norm" in name or name.endswith("bias"):
            tensor.copy_(torch.rand_like(tensor))
    return model


def forecast_of(
    *, channels=3, lookback=32, patch_len=8, stride=8, n_heads=4, steps=6, quantiles=3, **_: Any
) -> Forecast:
    return Forecast.model_validate(
        {
            "arch": "bare/1",
            "channels": [{"name": name} for name in ("ret_1", "ret_4", "rsi_14")[:channels]],
            "context_length": lookback,
            "patch_length": patch_len,
            "patch_stride": stride,
            "n_heads": n_heads,
            "prediction_length": steps,
            "quantiles": {3: [0.2, 0.5, 0.8], 5: [0.1, 0.3, 0.5, 0.7, 0.9]}[quantiles],
        }
    )


@pytest.mark.parametrize("prefix", ["", "_orig_mod."])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_bare_forecaster_when_loaded_then_forecasts_as_the_network_it_was(
    tmp_path: Path, sizes: dict[str, Any], prefix: str
) -> None:
    model = made(**sizes)
    path = tmp_path / "forecast_model.pt"
    path.write_bytes(saved({prefix + name: tensor for name, tensor in model.state_dict().items()}))
    forecast = forecast_of(**sizes)
    values = np.random.default_rng(2).normal(size=(forecast.context_length, len(forecast.channels))).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(load_forecaster(path, forecast).predict(values), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_shapes_told_without_torch_when_compared_then_are_those_of_the_network(sizes: dict[str, Any]) -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in made(**sizes).state_dict().items()}
    forecast = forecast_of(**sizes)
    read = read_sizes(
        shapes, patch_stride=forecast.patch_stride, n_heads=forecast.n_heads, quantiles=len(forecast.quantiles)
    )
    assert tensor_shapes(read) == shapes
    assert (read.channels, read.columns) == (len(forecast.channels), forecast.prediction_length * read.quantiles)


def test_bare_forecaster_when_saved_from_two_models_then_is_refused(tmp_path: Path) -> None:
    state = made().state_dict()
    path = tmp_path / "forecast_model.pt"
    path.write_bytes(saved(state | {f"_orig_mod.{name}": tensor for name, tensor in state.items()}))
    with pytest.raises(PackageInvalid, match="twice"):
        load_forecaster(path, forecast_of())
