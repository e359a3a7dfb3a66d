"""Uploads that must be refused: good files whose manifest contradicts them, and policies of other kinds."""

import io
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.hostile_packages import Case, policy
from tests.support.hostile_zips import changed, changed_policy, pickled
from tests.support.package_files import PackageFiles, ppo_bytes, probed, saved, saved_by_sb3


def manifest(change: Callable[[dict[str, Any]], Any], words: str) -> Case:
    """Give a case with another manifest."""

    def make(good: PackageFiles, _: Path) -> PackageFiles:
        told = deepcopy(good.manifest)
        change(told)
        return replace(good, manifest=told)

    return make, words


def section(name: str, words: str, **fields: Any) -> Case:
    """Give a case whose manifest has other fields in a section."""
    return manifest(lambda told: told[name].update(fields), words)


@cache
def other_kind(kind: str) -> bytes:
    """Give the file of a policy that stable-baselines3 saves and nobody here can rebuild."""
    import gymnasium
    import stable_baselines3
    from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

    vector, actions = Box(-1.0, 1.0, (72,), np.float32), Box(-1.0, 1.0, (5,), np.float32)
    algorithm, name, observations, acts = {
        "SAC": ("SAC", "MlpPolicy", vector, actions),
        "TD3": ("TD3", "MlpPolicy", vector, actions),
        "DQN": ("DQN", "MlpPolicy", vector, Discrete(3)),
        "images": ("PPO", "CnnPolicy", Box(0, 255, (36, 36, 1), np.uint8), actions),
        "dictionaries": ("PPO", "MultiInputPolicy", Dict(a=vector), actions),
        "several choices": ("PPO", "MlpPolicy", vector, MultiDiscrete([3, 3])),
        "several bits": ("PPO", "MlpPolicy", vector, MultiBinary(3)),
        "places": ("PPO", "MlpPolicy", Discrete(72), actions),
    }[kind]

    class Market(gymnasium.Env):  # type: ignore[misc]
        observation_space, action_space = observations, acts

    sizes = {} if name == "CnnPolicy" else {"policy_kwargs": {"net_arch": [8]}}
    few = {"n_steps": 8, "batch_size": 8} if algorithm == "PPO" else {"buffer_size": 8}
    return saved_by_sb3(getattr(stable_baselines3, algorithm)(name, Market(), device="cpu", **few, **sizes))


def kind(name: str, words: str) -> Case:
    """Give a case with a policy of another kind."""
    return policy(lambda *_: other_kind(name), words)


def described(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes, Path], bytes]:
    """Change the description in the policy's file."""

    def make(data: bytes, _: Path) -> bytes:
        def put(members: dict[str, bytes]) -> None:
            told = json.loads(members["data"])
            change(told)
            members["data"] = json.dumps(told).encode()

        return changed(data, put)

    return make


def of_class(module: str) -> Callable[[bytes, Path], bytes]:
    """Let the policy be of a class of another module."""
    return described(lambda told: told["policy_class"].update({"__module__": module}))


def with_layers(**shapes: tuple[int, ...]) -> Callable[[bytes, Path], bytes]:
    """Add layers to the policy, or change the shapes of those it has."""

    def make(data: bytes, _: Path) -> bytes:
        import torch

        def put(members: dict[str, bytes]) -> None:
            state = torch.load(io.BytesIO(members["policy.pth"]), weights_only=True)
            state |= {name.replace("__", "."): torch.zeros(shape) for name, shape in shapes.items()}
            members["policy.pth"] = saved(state)

        return changed(data, put)

    return make


def deep(levels: int) -> Any:
    """Give lists in lists."""
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


POLICIES: dict[str, Case] = {
    "SAC": kind("SAC", "SAC"),
    "TD3": kind("TD3", "TD3"),
    "DQN": kind("DQN", "DQN"),
    "policy on images": kind("images", "features_extractor"),
    "policy on dictionaries": kind("dictionaries", "a Dict space"),
    "policy of several choices": kind("several choices", "a MultiDiscrete space"),
    "policy of several bits": kind("several bits", "a MultiBinary space"),
    "policy on places": kind("places", "a Discrete space"),
    "recurrent by its class": policy(of_class("sb3_contrib.common.recurrent.policies"), "recurrent PPO"),
    "recurrent by its layers": policy(with_layers(lstm_actor__weight_ih_l0=(32, 8)), "recurrent"),
    "class of its own": policy(of_class("my_policies"), "'my_policies'"),
    "activation of its own": policy(
        described(lambda told: told["policy_kwargs"].update(activation_fn="<class 'mine.Snake'>")), "'mine.Snake'"
    ),
    "extractor without weights": policy(
        described(lambda told: told["policy_kwargs"].update(features_extractor_class="<class 'mine.Twice'>")),
        "features extractor 'mine.Twice'",
    ),
    "extractor with options": policy(
        described(lambda told: told["policy_kwargs"].update(features_extractor_kwargs={"factor": 2})),
        "features_extractor_kwargs",
    ),
    "space of no text": policy(
        described(lambda told: told["observation_space"].update({":type:": "\0\ud800\u202e\n" + "y" * 30_000})),
        r"observes a \x00\ud800\u202e\nyyy",
    ),
    "observation of many digits": policy(
        described(lambda told: told["observation_space"].update(_shape=[int("9" * 4000)])), "saved with 99999999999999"
    ),
    "squashed actions": policy(
        described(lambda told: told["policy_kwargs"].update(squash_output=True)), "squash_output"
    ),
    "description is no JSON": policy(lambda d, _: changed(d, lambda m: m.update(data=b"{")), "not the JSON"),
    "description too deep": policy(
        lambda d, _: changed(d, lambda m: m.update(data=b"[" * 200_000 + b"]" * 200_000)), "not the JSON"
    ),
    "description is no text": policy(lambda d, _: changed(d, lambda m: m.update(data=b"\xff" * 90)), "no text"),
    "no policy.pth": policy(lambda d, _: changed(d, lambda m: m.pop("policy.pth")), "lacks policy.pth"),
    "no action_net": policy(
        lambda d, _: changed_policy(d, lambda m: m.update({"archive/data.pkl": pickled({})})), "no part of"
    ),
    "layers that do not chain": policy(with_layers(mlp_extractor__policy_net__2__weight=(8, 9)), "policy_net.2"),
    "layer too many": policy(with_layers(extra__weight=(3, 3)), "extra.weight"),
    "another number of observations": policy(lambda *_: ppo_bytes(observations=71), "71"),
    "another number of actions": policy(lambda *_: ppo_bytes(actions=3), "action"),
}
"""What is wrong with the policies."""


def other_forecaster(good: PackageFiles, _: Path) -> PackageFiles:
    """Give the forecaster of another training, of the same shape, with the probe of this one."""
    from tests.support.package_files import patchtst_bytes

    return replace(probed(good), forecast=patchtst_bytes(seed=8))


def other_scale(good: PackageFiles, _: Path) -> PackageFiles:
    """Give a pair with the scale of one channel changed after its probe was made."""
    found = deepcopy(probed(good))
    found.manifest["forecast"]["channels"][2]["mean"] += 5.0
    return found


MANIFESTS: dict[str, Case] = {
    "unknown section": manifest(lambda told: told.update(forcast={}), "forcast"),
    "key of no text": manifest(lambda told: told.update({"\x1b[31m\u202e" + "k" * 5000: 1}), r"\x1b[31m\u202ekkk"),
    "unknown format": manifest(lambda told: told.update(format="package/9"), "format"),
    "section is a text": manifest(lambda told: told.update(forecast="patchtst"), "must be an object"),
    "other context length": section("forecast", "context_length", context_length=128),
    "other patch length": section("forecast", "patch_length", patch_length=8),
    "other prediction length": section("forecast", "prediction_length", prediction_length=96),
    "other number of quantiles": section("forecast", "quantiles", quantiles=[0.5]),
    "quantiles out of order": section("forecast", "quantiles", quantiles=[0.9, 0.5, 0.1]),
    "channels missing": section("forecast", "channels", channels=[{"name": "ret_1"}]),
    "unknown channel": section("forecast", "'moon'", channels=[{"name": name} for name in ("ret_1", "moon", "a", "b")]),
    "scale of zero": section("forecast", "scale", channels=[{"name": "ret_1", "mean": 0, "scale": 0}]),
    "other layers": section("policy", "net_arch", net_arch=[9, 9]),
    "other activation": section("policy", "activation", activation="relu"),
    "unknown activation": section("policy", "activation", activation="snake"),
    "other observation": section("policy", "obs", observation=["core28"], obs_dim=28),
    "other kind of actions": section("policy", "action space", action_space={"kind": "discrete", "n": 5}),
    "bounds upside down": section("policy", "low", action_space={"kind": "box", "low": [1] * 5, "high": [-1] * 5}),
    "other bounds": section("policy", "high", action_space={"kind": "box", "low": [-1] * 5, "high": [2] * 5}),
    "decoder outside": section("policy", "decoder", decoder={"kind": "direction", "index": 5}),
    "other files": manifest(lambda t: t.update(sha256=dict.fromkeys(("forecast_model", "ppo_model"), "0" * 64)), "SHA"),
    "interval of no candle": section("market", "interval_seconds", interval_seconds=777),
    "too few candles": section("market", "warmup_bars", warmup_bars=100),
    "probe of nonsense": manifest(lambda told: told.update(probe={"candles": {}}), "probe"),
    "nested deeply": manifest(lambda told: told.update(report={"a": deep(150)}), "nested too deeply"),
    "forecaster of another pair": (other_forecaster, "the probe was made with"),
    "scale of another training": (other_scale, "the probe was made with"),
}  # fmt: skip
"""What is wrong with the manifests."""
