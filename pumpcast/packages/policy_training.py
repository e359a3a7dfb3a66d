"""Training of a policy with PPO in the trading environment."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from pumpcast.packages.environment import TradingEnvironment
from pumpcast.packages.stage import Stage

EPISODE: Final = 480
"""Candles of an episode, at most: five days of quarters of an hour."""
ROLLOUT: Final = 1024
BATCH: Final = 128
PASSES: Final = 6
LEARNING_RATE: Final = 3e-4
DISCOUNT: Final = 0.99
SYSTEM_FILE: Final = "system_info.txt"

Progress = Callable[[int], None]


class _Watch(BaseCallback):
    def __init__(self, on_progress: Progress) -> None:
        super().__init__()
        self._on_progress = on_progress

    def _on_step(self) -> bool:
        self._on_progress(self.num_timesteps)
        return True


def fit_policy(stage: Stage, *, timesteps: int, seed: int, on_progress: Progress) -> PPO:
    """Train a policy on a stage; the same seed gives the same policy on the same machine."""
    torch.set_num_threads(1)
    rollout = _rollout(timesteps)
    model = PPO(
        "MlpPolicy",
        TradingEnvironment(stage, steps=EPISODE),
        n_steps=rollout,
        batch_size=min(BATCH, rollout),
        n_epochs=PASSES,
        learning_rate=LEARNING_RATE,
        gamma=DISCOUNT,
        seed=seed,
        device="cpu",
        policy_kwargs={"net_arch": list(stage.policy.net_arch), "activation_fn": torch.nn.Tanh},
    )
    return model.learn(total_timesteps=timesteps, callback=_Watch(on_progress))


def steps_of(timesteps: int) -> int:
    """Give how many steps are made: rollouts are whole."""
    rollout = _rollout(timesteps)
    return -(-timesteps // rollout) * rollout


def _rollout(timesteps: int) -> int:
    """Give the steps between two trainings: whole batches, as far as there are so many."""
    return min(ROLLOUT, timesteps - timesteps % BATCH) or timesteps


def act(model: PPO, observation: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the action that the policy takes for certain."""
    action: Any = model.predict(observation, deterministic=True)[0]
    return np.asarray(action, np.float32)


def saved(model: PPO) -> bytes:
    """Give the zip of a trained policy, without what stable-baselines3 tells in it of this machine."""
    whole, file = BytesIO(), BytesIO()
    model.save(whole)
    with ZipFile(whole) as written, ZipFile(file, "w") as kept:
        for entry in written.infolist():
            if entry.filename != SYSTEM_FILE:
                kept.writestr(entry, written.read(entry))
    return file.getvalue()
