"""What the description in a policy's file says as text; pickles in it are never decoded.

Hints, all texts: `activation` (as a manifest names it), `observation_shape` (72), `action_space` (box, discrete),
`action_low`, `action_high` (-1.0,-1.0), `action_n` (3), `squash` (true), `version` (of stable-baselines3). What is not
said is missing.
"""

import json
import re
from typing import Any

from shared.errors import PackageInvalid

_ACTIVATIONS = {
    "Tanh": "tanh",
    "ReLU": "relu",
    "ELU": "elu",
    "LeakyReLU": "leaky_relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
    "Identity": "identity",
}
_MODULE = "stable_baselines3.common.policies"
_EXTRACTOR = "stable_baselines3.common.torch_layers.FlattenExtractor"
_FOREIGN = (
    (".sac.", "SAC"),
    (".td3.", "TD3 or DDPG"),
    (".dqn.", "DQN"),
    (".qrdqn.", "QR-DQN"),
    (".tqc.", "TQC"),
    (".recurrent.", "recurrent PPO"),
)
_REMEDY = "train PPO with MlpPolicy on a plain vector of observations"
_CLASS = re.compile(r"<class '([\w.]{1,200})'>")
_FLOAT = re.compile(r"-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf)")
_MOST_BOUNDS = 256
_LONGEST_SIZE = 20


def read_hints(data: str, *, what: str) -> dict[str, str]:
    """Give the hints of a description; PackageInvalid: it is no JSON, or tells of what cannot be rebuilt."""
    if not data:
        return {}
    try:
        description = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PackageInvalid(
            f"{what}: data is not the JSON that stable-baselines3 writes; save the policy again"
        ) from error
    parts = (
        {key: value for key, value in description.items() if isinstance(value, dict)}
        if isinstance(description, dict)
        else {}
    )
    _refuse_own_class(parts.get("policy_class", {}), what=what)
    _refuse_own_extractor(parts.get("policy_kwargs", {}), what=what)
    return {
        **_squash(parts.get("policy_kwargs"), described=description, what=what),
        **_activation(parts.get("policy_kwargs"), what=what),
        **_observations(parts.get("observation_space", {}), what=what),
        **_actions(parts.get("action_space", {}), what=what),
    }


def _refuse_own_class(policy_class: dict[str, Any], *, what: str) -> None:
    module = policy_class.get("__module__")
    if not isinstance(module, str) or module == _MODULE:
        return
    for part, kind in _FOREIGN:
        if part in module:
            raise PackageInvalid(f"{what} holds a policy of {kind}, which cannot be rebuilt; {_REMEDY}")
    raise PackageInvalid(
        f"{what} holds a policy class of {module[:80]!a}, whose computation is not known here; {_REMEDY}"
    )


def _refuse_own_extractor(kwargs: dict[str, Any], *, what: str) -> None:
    """Refuse what computes on observations before the first layer: it may do so without any weights."""
    extractor = _class_name(kwargs.get("features_extractor_class"))
    if extractor not in ("", _EXTRACTOR):
        raise PackageInvalid(
            f"{what} has the features extractor {extractor[:80]!a}, which cannot be rebuilt; {_REMEDY}"
        )
    if kwargs.get("features_extractor_kwargs"):
        raise PackageInvalid(f"{what} has features_extractor_kwargs, which a plain vector needs none of; {_REMEDY}")


def _squash(kwargs: dict[str, Any] | None, *, described: dict[str, Any], what: str) -> dict[str, str]:
    if kwargs is None or kwargs.get("squash_output") is not True:
        return {}
    if described.get("use_sde") is not True:
        raise PackageInvalid(f"{what} has squash_output without use_sde, which no PPO has; save the policy again")
    return {"squash": "true"}


def _activation(kwargs: dict[str, Any] | None, *, what: str) -> dict[str, str]:
    if kwargs is None:
        return {}
    told = kwargs.get("activation_fn")
    if told is None:
        # The default of MlpPolicy.
        return {"activation": "tanh"}
    name = _class_name(told)
    if name.rpartition(".")[2] not in _ACTIVATIONS or not name.startswith("torch.nn."):
        raise PackageInvalid(
            f"{what} uses the activation {name[:80]!a}; known are {', '.join(_ACTIVATIONS)} of torch.nn"
        )
    return {"activation": _ACTIVATIONS[name.rpartition(".")[2]]}


def _observations(space: dict[str, Any], *, what: str) -> dict[str, str]:
    kind = _class_name(space.get(":type:")).rpartition(".")[2]
    if kind not in ("", "Box"):
        raise PackageInvalid(
            f"{what} observes a {kind[:80]} space, which cannot be rebuilt; train it on a Box, a plain vector"
        )
    shape = space.get("_shape")
    if isinstance(shape, list) and len(shape) == 1 and isinstance(shape[0], int):
        return {"observation_shape": str(shape[0])[:_LONGEST_SIZE]}
    return {}


def _actions(space: dict[str, Any], *, what: str) -> dict[str, str]:
    kind = _class_name(space.get(":type:")).rpartition(".")[2]
    if kind not in ("", "Box", "Discrete"):
        raise PackageInvalid(
            f"{what} acts in a {kind[:80]} space, which is not served; train it on Box or Discrete actions"
        )
    if kind == "Discrete":
        count = str(space.get("n", ""))
        return {"action_space": "discrete", **({"action_n": count} if count.isdecimal() and len(count) < 6 else {})}  # noqa: PLR2004
    if kind == "Box":
        bounds = {f"action_{side}": _numbers(space.get(side)) for side in ("low", "high")}
        return {"action_space": "box", **{key: text for key, text in bounds.items() if text}}
    return {}


def _class_name(told: Any) -> str:
    found = _CLASS.fullmatch(told) if isinstance(told, str) else None
    return found[1] if found else str(told or "")


def _numbers(told: Any) -> str:
    """Give the numbers of an array as numpy prints it, with commas; nothing where it was shortened."""
    if not isinstance(told, str) or "..." in told or len(told) > 16 * _MOST_BOUNDS:
        return ""
    return ",".join(str(float(number)) for number in _FLOAT.findall(told))
