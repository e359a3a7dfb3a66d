"""Files of packages, small and valid: forecasters of both kinds, policies of stable-baselines3, a whole package."""

import json
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from prediction_service.runtime.packages.candles import Candles

CHANNELS = [
    {"name": "ret_1", "transform": "percent", "mean": 0.0, "scale": 0.4},
    {"name": "ret_16", "transform": "percent", "mean": 0.0, "scale": 1.6},
    {"name": "rsi_14", "mean": 50.0, "scale": 12.0},
    {"name": "hour_sin", "mean": 0.0, "scale": 0.7},
]
PATCHTST = {
    "num_input_channels": 4, "context_length": 64, "patch_length": 16, "patch_stride": 8, "d_model": 16,
    "num_attention_heads": 2, "num_hidden_layers": 1, "ffn_dim": 32, "prediction_length": 192, "norm_type": "layernorm",
}  # fmt: skip
# Of core28, forecast35, account9, roughly; else what is large drowns the rest.
OBSERVED = {
    "mean": [*[0.0] * 15, 25.0, 0.0, 0.0, 0.0, 0.0, 5.0, *[0.0] * 6, 16.0, *[0.0] * 35, *[0.0] * 6, 192.0, 1.0, 0.1],
    "var": [*[1e-4] * 9, 0.1, *[1e-4] * 5, 50.0, 1.0, 0.1, 0.1, 0.1, *[1.0] * 7, 80.0, *[0.1] * 35, *[1.0] * 9],
}
BARE = {"channels": 28, "patches": 7, "patch_length": 16, "d_model": 8, "ffn_dim": 32, "layers": 1, "hidden": 8,
        "columns": 576, "patch_stride": 8, "n_heads": 4, "quantiles": 3}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFiles:
    """Both files of a package, and its manifest."""

    forecast: bytes
    ppo: bytes
    manifest: dict[str, Any]

    def write(self, folder: Path) -> Path:
        """Write them under their names in the registry."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "forecast_model.pt").write_bytes(self.forecast)
        (folder / "ppo_policy.zip").write_bytes(self.ppo)
        (folder / "manifest.json").write_text(json.dumps(self.manifest))
        return folder


def tiny_manifest(**market: Any) -> dict[str, Any]:
    """Give a manifest of `tiny_package` without what the files say themselves."""
    return {
        "market": {"interval_seconds": 900, "warmup_bars": 1500, **market},
        "forecast": {"channels": CHANNELS, "quantiles": [0.1, 0.5, 0.9]},
        "policy": {
            "activation": "tanh",
            "action_space": {"kind": "box", "low": [-1.0] * 5, "high": [1.0] * 5},
            "obs_normalization": OBSERVED,
        },
        "description": "Made for a test",
    }


def tiny_package(seed: int = 3, **market: Any) -> PackageFiles:
    """Give a whole package of a few kilobytes: patchtst/1 of four channels, a policy of five actions."""
    return PackageFiles(forecast=patchtst_bytes(seed), ppo=ppo_bytes(seed), manifest=tiny_manifest(**market))


def probed(package: PackageFiles, bars: int = 1500) -> PackageFiles:
    """Give the same package with a probe in its manifest."""
    import tempfile

    from prediction_service.runtime.packages.account import EMPTY_ACCOUNT
    from prediction_service.runtime.packages.infer import complete_manifest
    from prediction_service.runtime.packages.instance import FORECAST_FILE, POLICY_FILE, Instance
    from prediction_service.runtime.packages.policy_file import read_policy_zip
    from prediction_service.runtime.packages.probe import make_probe
    from prediction_service.runtime.packages.pt_file import read_pt

    with tempfile.TemporaryDirectory() as name:
        folder = package.write(Path(name))
        pair = read_pt(folder / FORECAST_FILE), read_policy_zip(folder / POLICY_FILE)
        instance = Instance.load(folder, complete_manifest(package.manifest, *pair))
        candles = random_candles(bars, seed=11)
        answer = instance.answer(candles, EMPTY_ACCOUNT)
    probe = make_probe(candles, EMPTY_ACCOUNT, prediction=answer.prediction, action=answer.action_raw)
    return replace(package, manifest=package.manifest | {"probe": probe.model_dump(mode="json")})


@cache
def patchtst_bytes(seed: int = 3) -> bytes:
    """Give a patchtst/1 file of PATCHTST with three quantiles."""
    import torch

    from prediction_service.runtime.packages.patchtst import PatchTst
    from prediction_service.runtime.packages.patchtst_config import read_config

    torch.manual_seed(seed)
    model = PatchTst(read_config(PATCHTST), quantiles=3)
    return saved({"format": "patchtst/1", "config": PATCHTST, "state_dict": model.state_dict()})


@cache
def bare_bytes(seed: int = 3, prefix: str = "") -> bytes:
    """Give a bare state_dict of BARE: 28 channels of 64 candles, three quantiles at 192 steps."""
    import torch

    from prediction_service.runtime.packages.bare import BarePatchTst
    from prediction_service.runtime.packages.bare_sizes import BareSizes

    torch.manual_seed(seed)
    state = BarePatchTst(BareSizes(**BARE)).state_dict()
    return saved({prefix + name: tensor for name, tensor in state.items()})


def saved(content: Any) -> bytes:
    """Give the file that torch.save writes."""
    import torch

    file = BytesIO()
    torch.save(content, file)
    return file.getvalue()


@cache
def ppo_bytes(seed: int = 3, observations: int = 72, actions: int = 5) -> bytes:
    """Give the zip that stable-baselines3 saves: MlpPolicy, Box actions in [-1, 1], two layers of eight."""
    from gymnasium.spaces import Box

    space = Box(-1.0, 1.0, (actions,), np.float32)
    return saved_by_sb3(ppo(action_space=space, observations=observations, seed=seed, net_arch=[8, 8]))


def ppo(
    *, action_space: Any, observations: int = 72, seed: int = 7, use_sde: bool = False, **policy_kwargs: Any
) -> Any:
    """Give a PPO of stable-baselines3 whose weights are random and large enough to act in every direction."""
    import gymnasium
    import torch
    from stable_baselines3 import PPO

    class Market(gymnasium.Env):  # type: ignore[misc]
        """An environment that nothing happens in."""

        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (observations,), np.float32)

        def reset(self, **_: Any) -> Any:
            return np.zeros(observations, np.float32), {}

        def step(self, _: Any) -> Any:
            return np.zeros(observations, np.float32), 0.0, False, False, {}

    Market.action_space = action_space
    torch.set_num_threads(1)
    model = PPO("MlpPolicy", Market(), n_steps=8, batch_size=8, device="cpu", seed=seed, use_sde=use_sde,
                policy_kwargs=policy_kwargs)  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.policy.named_parameters():
            if name != "log_std":
                weight.copy_(torch.randn(weight.shape, generator=generator) / max(weight.shape[-1], 4) ** 0.5)
    return model


def saved_by_sb3(model: Any) -> bytes:
    """Give the zip of a model of stable-baselines3."""
    file = BytesIO()
    model.save(file)
    return file.getvalue()


def random_candles(n: int = 1500, *, seed: int = 7, interval_seconds: int = 900, start: int = 1_767_225_600) -> Candles:
    """Give candles of a random walk; `start` in seconds since 1970."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.004, n)))
    opened = np.concatenate(([100.0], close[:-1]))
    wick = np.exp(np.abs(random.normal(0, 0.002, (2, n))))
    return Candles(
        open_time=(start + interval_seconds * np.arange(n, dtype=np.int64)) * 1_000_000,
        open=opened,
        high=np.maximum(opened, close) * wick[0],
        low=np.minimum(opened, close) / wick[1],
        close=close,
        volume=np.exp(random.normal(5, 1, n)),
        interval_seconds=interval_seconds,
    )
