"""The policy of a package, rebuilt from the tensors that stable-baselines3 saved."""

import pickle  # nosec B403 # for its errors; nothing is loaded before its opcodes were read
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prediction_service.runtime.packages.policy_chain import read_chain
from prediction_service.runtime.packages.policy_file import open_policy
from prediction_service.runtime.packages.shapes import plain_names
from shared.contracts.packages import Activation, BoxSpace, Policy
from shared.errors import PackageInvalid

_functions = nn.functional
_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "elu": _functions.elu,
    "leaky_relu": _functions.leaky_relu,
    "gelu": _functions.gelu,
    "silu": _functions.silu,
    "sigmoid": torch.sigmoid,
    "identity": lambda values: values,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a policy does."""

    values: NDArray[np.float64]
    """(k,) within the bounds of a box; (1,) the number of a discrete action."""
    probabilities: NDArray[np.float64] | None
    """(n,) of the discrete actions."""


class LoadedPolicy:
    """A chain of Linear layers ready to act."""

    def __init__(self, policy: Policy, layers: list[tuple[Tensor, Tensor]]) -> None:
        self._layers = layers
        self._activate = _ACTIVATIONS[policy.activation]
        self._space = policy.action_space
        if isinstance(self._space, BoxSpace):
            self._low, self._high = np.array(self._space.low, np.float32), np.array(self._space.high, np.float32)

    def act(self, observation: NDArray[np.float32]) -> Action:
        """Act on one observation (obs_dim,), already normalised, as `predict(deterministic=True)` does."""
        outputs = self.outputs(observation[None])[0]
        if isinstance(self._space, BoxSpace):
            return Action(values=self._bounded(outputs).astype(np.float64), probabilities=None)
        apart = np.exp(outputs.astype(np.float64) - outputs.max())
        return Action(values=np.array([float(outputs.argmax())]), probabilities=apart / apart.sum())

    def outputs(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the outputs of the last layer for observations (n, obs_dim): (n, actions)."""
        with torch.inference_mode():
            hidden = torch.from_numpy(np.ascontiguousarray(observations, np.float32))
            for weight, bias in self._layers[:-1]:
                hidden = self._activate(_functions.linear(hidden, weight, bias))
            return _functions.linear(hidden, *self._layers[-1]).numpy()

    def _bounded(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        assert isinstance(self._space, BoxSpace)
        if self._space.squash:
            outputs = self._low + np.float32(0.5) * (np.tanh(outputs) + 1) * (self._high - self._low)
        return np.clip(outputs, self._low, self._high)


def load_policy(path: Path, policy: Policy) -> LoadedPolicy:
    """Read a policy that was validated before; PackageInvalid if the file is not that one any more."""
    torch.set_num_threads(1)
    try:
        content = torch.load(open_policy(path), map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise PackageInvalid(f"policy.pth cannot be read ({type(error).__name__}); upload it again") from error
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise PackageInvalid("policy.pth holds no state_dict of plain tensors; save the model with stable-baselines3")
    tensors = plain_names({str(name): tensor for name, tensor in content.items()}, of="The policy")
    chain = read_chain({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    found, told = [chain.obs_dim, *chain.net_arch], [policy.obs_dim, *policy.net_arch]
    if found != told:
        raise PackageInvalid(f"The policy has layers of {found}, its manifest says {told}; upload the package again")
    return LoadedPolicy(
        policy, [(tensors[f"{name}.weight"].float(), tensors[f"{name}.bias"].float()) for name in chain.layers]
    )
