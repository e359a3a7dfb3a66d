"""The forecaster of a package, rebuilt from its tensors and run on one thread."""

import pickle  # nosec B403 # for its errors; nothing is loaded before its opcodes were read
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prediction_service.runtime.packages.bare import BarePatchTst
from prediction_service.runtime.packages.bare_sizes import read_sizes
from prediction_service.runtime.packages.patchtst import PatchTst
from prediction_service.runtime.packages.patchtst_config import read_config
from prediction_service.runtime.packages.shapes import Shape, check_shapes, plain_names
from shared.contracts.packages import Forecast
from shared.errors import PackageInvalid


class Forecaster:
    """A network ready to answer."""

    def __init__(self, network: nn.Module, *, channel: int | None) -> None:
        self.network = network.eval()
        self._channel = channel

    def predict(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Forecast one window (context_length, channels): (prediction_length, quantiles)."""
        forecast: NDArray[np.float64] = self.predict_many(values[None])[0]
        return forecast

    def predict_many(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Forecast windows (n, context_length, channels): (n, prediction_length, quantiles)."""
        with torch.inference_mode():
            forecasts: Tensor = self.network(torch.from_numpy(np.ascontiguousarray(windows, np.float32)))
            chosen = forecasts if self._channel is None else forecasts[..., self._channel]
            return chosen.double().numpy()


def build_forecaster(forecast: Forecast, config: dict[str, Any]) -> PatchTst:
    """Give an untrained patchtst/1 network for training; its forecasts have one more axis at the end, the channels."""
    return PatchTst(read_config(config), len(forecast.quantiles))


def forecast_channel(forecast: Forecast, config: dict[str, Any]) -> int:
    """Give the channel whose forecast the price is, of those that a patchtst/1 network forecasts."""
    if forecast.output.channel is not None:
        return [channel.name for channel in forecast.channels].index(forecast.output.channel)
    return read_config(config).target_channel


def load_forecaster(path: Path, forecast: Forecast) -> Forecaster:
    """Read a forecaster that was validated before; PackageInvalid if the file is not that one any more."""
    # Attention over a few patches is too little work to share; more threads only wait for each other.
    torch.set_num_threads(1)
    content = _read(path)
    if forecast.arch == "bare/1":
        state = _plain(content)
        sizes = read_sizes(
            _shapes(state),
            patch_stride=forecast.patch_stride,
            n_heads=forecast.n_heads,
            quantiles=len(forecast.quantiles),
        )
        with torch.device("meta"):
            network: nn.Module = BarePatchTst(sizes)
        return Forecaster(_filled(network, state), channel=None)
    config, state = content.get("config"), _plain(content.get("state_dict"))
    if content.get("format") != forecast.arch or not isinstance(config, dict):
        raise PackageInvalid(f"The forecaster is no {forecast.arch} file any more; upload the package again")
    with torch.device("meta"):
        network = build_forecaster(forecast, config)
    return Forecaster(_filled(network, state), channel=forecast_channel(forecast, config))


def _read(path: Path) -> dict[str, Any]:
    try:
        # Read, not mapped: a file that is cut short under a mapping ends the process.
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise PackageInvalid(f"The forecaster cannot be read ({type(error).__name__}); upload it again") from error
    if not isinstance(content, dict):
        raise PackageInvalid(f"The forecaster is a {type(content).__name__}, a dictionary of tensors is read")
    return content


def _plain(state: Any) -> dict[str, Tensor]:
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise PackageInvalid("The forecaster has no state_dict of plain tensors; save model.state_dict()")
    return plain_names({str(name): tensor for name, tensor in state.items()}, of="The forecaster")


def _shapes(tensors: dict[str, Tensor]) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _filled(network: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """Give the network with these tensors as its own, all that count as float32."""
    check_shapes(_shapes(state), _shapes(network.state_dict()), of="The forecaster", why=lambda _: "")
    single = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    network.load_state_dict(single, strict=True, assign=True)
    return network.requires_grad_(requires_grad=False)
