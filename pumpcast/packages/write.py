"""A trained package on the disk, with a probe that proves it."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO

from prediction_service.runtime.packages.account import EMPTY_ACCOUNT
from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.channels import fit_scales, forecast_curves, forecaster_input
from prediction_service.runtime.packages.core import core_features
from prediction_service.runtime.packages.instance import FORECAST_FILE, POLICY_FILE, Instance
from prediction_service.runtime.packages.observation import build_observation
from prediction_service.runtime.packages.probe import make_probe
from pumpcast.packages.forecast_training import FittedForecaster
from pumpcast.packages.policy_training import act, saved
from shared.contracts.packages import Digests, Manifest, Probe
from shared.errors import PumpcastError

Floats = NDArray[np.float64]

CANDLE_DIGITS: Final = 8
"""Significant ones of the candles of a probe."""
ANSWER_DECIMALS: Final = 7
AGREEMENT: Final = 1e-4
"""By so much the answers of the files may differ from those in memory."""


def write_files(folder: Path, fitted: FittedForecaster, model: PPO) -> Digests:
    """Write the files of both networks."""
    content = {"format": "patchtst/1", "config": fitted.config, "state_dict": fitted.state_dict}
    torch.save(content, folder / FORECAST_FILE)
    (folder / POLICY_FILE).write_bytes(saved(model))
    return Digests(forecast_model=_sha256(folder / FORECAST_FILE), ppo_model=_sha256(folder / POLICY_FILE))


def prove(instance: Instance, fitted: FittedForecaster, model: PPO, candles: Candles) -> Probe:
    """Ask the files about candles as a service would; what they answer must be what is answered in memory."""
    asked = _rounded(candles)
    answer = instance.answer(asked, EMPTY_ACCOUNT)
    forecast, action = _in_memory(instance.manifest, fitted, model, asked)
    apart = max(float(np.abs(answer.prediction - forecast).max()), float(np.abs(answer.action_raw - action).max()))
    if not apart <= AGREEMENT:
        raise PumpcastError(f"The files answer otherwise than what was trained, by {apart:.2g}: nothing was written")
    prediction, acted = np.round(answer.prediction, ANSWER_DECIMALS), np.round(answer.action_raw, ANSWER_DECIMALS)
    return make_probe(asked, EMPTY_ACCOUNT, prediction=prediction, action=acted)


def _rounded(candles: Candles) -> Candles:
    return replace(
        candles,
        open=_short(candles.open),
        high=_short(candles.high),
        low=_short(candles.low),
        close=_short(candles.close),
        volume=_short(candles.volume),
    )


def _short(values: Floats) -> Floats:
    return np.array([float(f"{value:.{CANDLE_DIGITS}g}") for value in values])


def _in_memory(
    manifest: Manifest, fitted: FittedForecaster, model: PPO, candles: Candles
) -> tuple[Floats, NDArray[np.float32]]:
    core, forecast = core_features(candles), manifest.forecast
    scales = fit_scales(core, forecast)
    prediction = fitted.forecaster.predict(forecaster_input(core, forecast, scales))
    curves = forecast_curves(prediction, forecast, scales)
    return prediction, act(model, build_observation(core[-1], curves, EMPTY_ACCOUNT, forecast, manifest.policy, scales))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
