"""What the tensors of a policy tell: its layers, and whether it is one that can be rebuilt."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from prediction_service.runtime.packages.shapes import Shape
from shared.errors import PackageInvalid

_REMEDY = "train PPO with MlpPolicy on a flat observation"
_FOREIGN = (
    ("actor.latent_pi.", "SAC"),
    ("actor.mu.", "TD3 or DDPG"),
    ("q_net.", "DQN"),
    ("quantile_net.", "QR-DQN"),
    ("actor.", "SAC, TD3 or TQC"),
    ("lstm_", "recurrent PPO"),
    ("mlp_extractor.shared_net.", "stable-baselines3 before 1.8 with shared layers"),
)
_EXTRACTORS = ("features_extractor.", "pi_features_extractor.", "vf_features_extractor.")
_LAYER = re.compile(r"mlp_extractor\.(policy|value)_net\.(\d{1,3})\.(weight|bias)")
_ENDS = {"action_net.weight", "action_net.bias", "value_net.weight", "value_net.bias", "log_std"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChain:
    """The Linear layers from an observation to an action."""

    obs_dim: int
    net_arch: list[int]
    """Widths of the hidden layers."""
    actions: int
    """Width of the last layer."""
    continuous: bool
    """Whether it has a standard deviation, which only continuous actions have."""
    layers: list[str]
    """Names of the layers in their order."""


def read_chain(shapes: Mapping[str, Shape]) -> PolicyChain:
    """Give the layers of a policy of stable-baselines3; PackageInvalid names what cannot be rebuilt."""
    _refuse_others(shapes)
    layers = _layers(shapes, "policy")
    widths = _widths(shapes, [*layers, "action_net"])
    values = _widths(shapes, [*_layers(shapes, "value"), "value_net"])
    if values[0] != widths[0]:
        raise PackageInvalid(f"The policy sees {widths[0]} numbers, its value net {values[0]}; save the model again")
    spread = shapes.get("log_std")
    if spread is not None and spread not in {(widths[-1],), (widths[-2], widths[-1]), (widths[-2], 1)}:
        raise PackageInvalid(f"log_std of the policy has shape {spread}, action_net has {widths[-1]} actions")
    return PolicyChain(
        obs_dim=widths[0],
        net_arch=widths[1:-1],
        actions=widths[-1],
        continuous=spread is not None,
        layers=[*layers, "action_net"],
    )


def _refuse_others(shapes: Mapping[str, Shape]) -> None:
    for prefix, kind in _FOREIGN:
        if any(name.startswith(prefix) for name in shapes):
            raise PackageInvalid(f"The policy is of {kind}, which cannot be rebuilt; {_REMEDY}")
    for name in sorted(shapes):
        if name.startswith(_EXTRACTORS):
            kind = "a CNN" if ".cnn." in name else "a features extractor of its own"
            kind = "a dictionary of parts" if ".extractors." in name else kind
            raise PackageInvalid(f"The policy sees through {kind} ({name:.80}), which cannot be rebuilt; {_REMEDY}")
        if name not in _ENDS and not _LAYER.fullmatch(name):
            raise PackageInvalid(f"The policy has a tensor {name!r:.120} that MlpPolicy does not know; {_REMEDY}")


def _layers(shapes: Mapping[str, Shape], net: str) -> list[str]:
    """Give the names of the Linear layers, between which stand activations without weights."""
    found = (_LAYER.fullmatch(name) for name in shapes)
    places = sorted({int(match[2]) for match in found if match and match[1] == net})
    if places != list(range(0, 2 * len(places), 2)):
        raise PackageInvalid(
            f"mlp_extractor.{net}_net of the policy has layers with weights at {places}: "
            f"it is no chain of Linear layers with an activation after each; {_REMEDY}"
        )
    return [f"mlp_extractor.{net}_net.{place}" for place in places]


def _widths(shapes: Mapping[str, Shape], layers: list[str]) -> list[int]:
    widths: list[int] = []
    for layer in layers:
        weight, bias = shapes.get(f"{layer}.weight"), shapes.get(f"{layer}.bias")
        if weight is None or bias is None:
            raise PackageInvalid(f"The policy has no {layer}.{'bias' if weight else 'weight'}; {_REMEDY}")
        if len(weight) != 2 or 0 in weight or bias != weight[:1]:  # noqa: PLR2004
            raise PackageInvalid(f"{layer} of the policy has shapes {weight} and {bias}, which are no Linear layer")
        if widths and widths[-1] != weight[1]:
            raise PackageInvalid(f"{layer} of the policy takes {weight[1]} numbers, those before give {widths[-1]}")
        widths = [*(widths or [weight[1]]), weight[0]]
    return widths
