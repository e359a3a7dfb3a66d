"""What the policy's file tells about its sizes and spaces, and whether they are those of the manifest."""

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from prediction_service.runtime.packages.policy_chain import PolicyChain, read_chain
from prediction_service.runtime.packages.policy_file import PolicyFile
from prediction_service.runtime.packages.shapes import plain_names
from shared.contracts.packages import BLOCK_SIZES, BoxSpace, Policy
from shared.errors import PackageInvalid

OF = "The policy"
_FLOATS = {"float64", "float32", "float16", "bfloat16"}


def read_policy(file: PolicyFile) -> dict[str, Any]:
    """Give the section `policy` of a manifest as far as the file tells it."""
    chain = _chain(file)
    found: dict[str, Any] = {
        "net_arch": chain.net_arch,
        "activation": file.hints.get("activation", "tanh"),
        "observation": _blocks(chain.obs_dim),
        "obs_dim": chain.obs_dim,
        "obs_normalization": None,
        "action_space": _space(chain, file.hints),
    }
    # Nobody can tell which discrete action means what.
    return found | ({"decoder": {"kind": "direction"}} if chain.continuous else {})


def check_policy(file: PolicyFile, policy: Policy) -> None:
    """Refuse a policy whose tensors and description are not those of its manifest."""
    chain = _chain(file)
    for name, tensor in file.tensors.items():
        if tensor.dtype not in _FLOATS:
            raise PackageInvalid(f"{name} of the policy holds {tensor.dtype}, weights are floating-point numbers")
    if policy.obs_dim != chain.obs_dim:
        raise PackageInvalid(
            f"policy.obs_dim is {policy.obs_dim} ({'+'.join(policy.observation)}), "
            f"the first layer of the policy takes {chain.obs_dim}"
        )
    if policy.net_arch != chain.net_arch:
        raise PackageInvalid(f"policy.net_arch is {policy.net_arch}, the layers of the policy have {chain.net_arch}")
    space = policy.action_space
    if isinstance(space, BoxSpace) != chain.continuous:
        kind = "continuous (it has log_std)" if chain.continuous else "discrete (it has no log_std)"
        raise PackageInvalid(f"policy.action_space is of kind {space.kind}, the policy is {kind}")
    actions = len(space.low) if isinstance(space, BoxSpace) else space.n
    if actions != chain.actions:
        raise PackageInvalid(
            f"policy.action_space has {actions} actions, action_net of the policy gives {chain.actions}"
        )
    _check_hints(file.hints, policy)


def _chain(file: PolicyFile) -> PolicyChain:
    return read_chain({name: tensor.shape for name, tensor in plain_names(file.tensors, of=OF).items()})


def _blocks(obs_dim: int) -> list[str]:
    """Give the blocks that add up to so many numbers; no two choices of blocks do."""
    for count in range(1, len(BLOCK_SIZES) + 1):
        for blocks in combinations(BLOCK_SIZES, count):
            if sum(BLOCK_SIZES[block] for block in blocks) == obs_dim:
                return list(blocks)
    sizes = ", ".join(f"{block} ({size})" for block, size in BLOCK_SIZES.items())
    raise PackageInvalid(f"The policy observes {obs_dim} numbers; observations are put together of {sizes}")


def _space(chain: PolicyChain, hints: Mapping[str, str]) -> dict[str, Any]:
    if not chain.continuous:
        return {"kind": "discrete", "n": chain.actions}
    bounds = {side: _numbers(hints.get(f"action_{side}", ""), chain.actions) for side in ("low", "high")}
    return {
        "kind": "box",
        "low": bounds["low"] or [-1.0] * chain.actions,
        "high": bounds["high"] or [1.0] * chain.actions,
        "squash": "squash" in hints,
    }


def _numbers(text: str, count: int) -> list[float] | None:
    """Give the numbers of a hint, if it has as many as there are actions and all are finite."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _check_hints(hints: Mapping[str, str], policy: Policy) -> None:
    """Refuse what contradicts the file's own description: those actions would not be the trained ones."""
    told = hints.get("activation", policy.activation)
    if told != policy.activation:
        raise PackageInvalid(f"policy.activation is {policy.activation}, the policy was saved with {told}")
    kind = policy.action_space.kind
    if hints.get("action_space", kind) != kind:
        raise PackageInvalid(
            f"policy.action_space is of kind {kind}, the policy was saved with {hints['action_space']}"
        )
    if hints.get("observation_shape", str(policy.obs_dim)) != str(policy.obs_dim):
        raise PackageInvalid(
            f"policy.obs_dim is {policy.obs_dim}, the policy was saved with {hints['observation_shape']} observations"
        )
    if isinstance(policy.action_space, BoxSpace):
        squash = policy.action_space.squash
        # A file that tells its activation tells this too.
        if "activation" in hints and squash != ("squash" in hints):
            raise PackageInvalid(f"policy.action_space.squash is {squash}, the policy was saved with {not squash}")
        for side, bounds in (("low", policy.action_space.low), ("high", policy.action_space.high)):
            saved = _numbers(hints.get(f"action_{side}", ""), len(bounds))
            if saved and not all(map(_same, saved, bounds)):
                raise PackageInvalid(f"policy.action_space.{side} is {bounds}, the policy was saved with {saved}")


def _same(one: float, other: float) -> bool:
    # Bounds are float32 in the file, and printed so.
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
