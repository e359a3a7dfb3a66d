"""Actions equal those of stable-baselines3 on the same files."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

from prediction_service.runtime.packages.observation import normalised
from prediction_service.runtime.packages.policy import load_policy
from prediction_service.runtime.packages.policy_file import read_policy_zip
from prediction_service.runtime.packages.policy_sizes import read_policy
from shared.contracts.packages import Normalization, Policy
from shared.errors import PackageInvalid
from tests.support.package_files import ppo, saved, saved_by_sb3

ACCOUNT = {"observation": ["account9"], "obs_dim": 9}


def box(low: list[float], high: list[float]) -> Box:
    return Box(np.array(low, np.float32), np.array(high, np.float32))


POLICIES: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = [
    ("box of one", box([-1], [1]), {}, {"net_arch": [64, 64]}),
    ("box of five", box([-1] * 5, [1] * 5), {"net_arch": [16, 16]}, {}),
    ("box with odd bounds", box([-3, 0, -0.25], [-1, 10, 0.5]), {"net_arch": [8]}, {}),
    ("box of two, relu", box([-1, -1], [1, 1]), {"net_arch": [12, 7, 5], "activation_fn": nn.ReLU},
     {"activation": "relu"}),
    ("box, elu, own value net", box([-1] * 3, [1] * 3),
     {"net_arch": {"pi": [10], "vf": [4, 4]}, "activation_fn": nn.ELU}, {"net_arch": [10], "activation": "elu"}),
    ("box without a layer", box([-1] * 4, [1] * 4), {"net_arch": []}, {}),
    ("box, leaky relu", box([-1], [2]), {"net_arch": [6], "activation_fn": nn.LeakyReLU}, {"activation": "leaky_relu"}),
    ("box, gelu", box([-1], [2]), {"net_arch": [6, 6], "activation_fn": nn.GELU}, {"activation": "gelu"}),
    ("box, silu", box([-1], [2]), {"net_arch": [6, 6], "activation_fn": nn.SiLU}, {"activation": "silu"}),
    ("box, sigmoid", box([-1], [2]), {"net_arch": [6, 6], "activation_fn": nn.Sigmoid}, {"activation": "sigmoid"}),
    ("box, extractors apart", box([-1] * 2, [1] * 2), {"net_arch": [8], "share_features_extractor": False}, {}),
    ("box, gSDE", box([-2, -1], [1, 4]), {"net_arch": [8, 4], "use_sde": True}, {}),
    ("box, gSDE squashed", box([-2, -1], [1, 4]), {"net_arch": [8], "use_sde": True, "squash_output": True},
     {"squash": True}),
    ("box, gSDE of one deviation", box([-2], [1]), {"net_arch": [8], "use_sde": True, "full_std": False}, {}),
    ("discrete of three", Discrete(3), {"net_arch": [8, 8]}, {}),
    ("discrete of seven, no value layers", Discrete(7), {"net_arch": {"pi": [5, 4], "vf": []}}, {"net_arch": [5, 4]}),
    ("discrete without a layer", Discrete(2), {"net_arch": []}, {}),
]  # fmt: skip


def policy_of(space: Any, arguments: dict[str, Any], told: dict[str, Any]) -> Policy:
    """Give the section of a manifest for a space and the arguments of its PPO."""
    if isinstance(space, Discrete):
        signals = ["LONG", "SHORT", *["FLAT"] * (int(space.n) - 2)]
        actions = {"action_space": {"kind": "discrete", "n": int(space.n)}}
        actions["decoder"] = {"kind": "choice", "signals": signals}
    else:
        bounds = {"low": space.low.tolist(), "high": space.high.tolist(), "squash": told.get("squash", False)}
        actions = {"action_space": {"kind": "box", **bounds}}
    rest = {key: value for key, value in told.items() if key != "squash"}
    return Policy.model_validate({"net_arch": arguments.get("net_arch"), **ACCOUNT, **actions, **rest})


def observations(n: int = 200, size: int = 9) -> np.ndarray:
    return (np.random.default_rng(11).normal(size=(n, size)) * 3).astype(np.float32)


@pytest.mark.parametrize(
    ("space", "arguments", "told"), [row[1:] for row in POLICIES], ids=[row[0] for row in POLICIES]
)
def test_policy_when_rebuilt_from_its_zip_then_acts_as_stable_baselines3(
    tmp_path: Path, space: Any, arguments: dict[str, Any], told: dict[str, Any]
) -> None:
    path = tmp_path / "ppo_policy.zip"
    path.write_bytes(saved_by_sb3(ppo(action_space=space, observations=9, **arguments)))
    policy = policy_of(space, arguments, told)
    found = read_policy(read_policy_zip(path))
    assert Policy.model_validate({"decoder": policy.decoder} | found) == policy
    theirs, ours = PPO.load(path, device="cpu"), load_policy(path, policy)
    batch = observations()
    expected = np.stack([np.atleast_1d(theirs.predict(row, deterministic=True)[0]) for row in batch])
    acted = [ours.act(row) for row in batch]
    np.testing.assert_allclose([action.values for action in acted], expected, rtol=1e-5, atol=1e-6)
    if isinstance(space, Discrete):
        chances = theirs.policy.get_distribution(torch.from_numpy(batch)).distribution.probs.detach().numpy()
        np.testing.assert_allclose([action.probabilities for action in acted], chances, rtol=1e-4, atol=1e-6)
    assert len(np.unique(expected, axis=0)) > 1


def test_policy_with_normalised_observations_when_their_statistics_are_told_then_acts_as_in_training(
    tmp_path: Path,
) -> None:
    space = box([-1, -1], [1, 1])
    model = ppo(action_space=space, observations=9, net_arch=[8])
    path = tmp_path / "ppo_policy.zip"
    path.write_bytes(saved_by_sb3(model))
    environment = VecNormalize(DummyVecEnv([lambda: model.get_env().envs[0]]), clip_obs=2.5, epsilon=1e-4)
    environment.obs_rms.update(observations(500) * np.arange(1, 10) + 20)
    statistics = Normalization(
        mean=environment.obs_rms.mean.tolist(), var=environment.obs_rms.var.tolist(), epsilon=1e-4, clip=2.5
    )
    theirs, ours = PPO.load(path, device="cpu"), load_policy(path, policy_of(space, {"net_arch": [8]}, {}))
    for row in observations(50) * np.float32(20) + np.float32(10):
        expected = theirs.predict(environment.normalize_obs(row), deterministic=True)[0]
        np.testing.assert_allclose(ours.act(normalised(row, statistics)).values, expected, rtol=1e-5, atol=1e-6)


def test_policy_when_its_file_is_another_than_was_validated_then_is_refused(tmp_path: Path) -> None:
    space = box([-1, -1], [1, 1])
    path = tmp_path / "ppo_policy.zip"
    path.write_bytes(saved_by_sb3(ppo(action_space=space, observations=9, net_arch=[8])))
    with pytest.raises(PackageInvalid, match=r"\[9, 8\].*\[9, 8, 8\]"):
        load_policy(path, policy_of(space, {"net_arch": [8, 8]}, {}))


def test_policy_with_code_in_its_pickle_when_loaded_then_is_refused_and_ran_nothing(tmp_path: Path) -> None:
    model = ppo(action_space=box([-1], [1]), observations=9, net_arch=[8])
    proof = tmp_path / "ran"
    state = model.policy.state_dict() | {"action_net.bias": Opens(str(proof))}
    path = tmp_path / "ppo_policy.zip"
    with zipfile.ZipFile(BytesIO(saved_by_sb3(model))) as theirs, zipfile.ZipFile(path, "w") as other:
        for name in theirs.namelist():
            other.writestr(name, saved(state) if name == "policy.pth" else theirs.read(name))
    with pytest.raises(PackageInvalid):
        load_policy(path, policy_of(box([-1], [1]), {"net_arch": [8]}, {}))
    assert not proof.exists()


class Opens:
    """Makes a file when unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return open, (self._path, "w")
