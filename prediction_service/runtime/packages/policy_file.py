"""The policy's file, a zip of stable-baselines3: its tensors, and as hints what its description says as text."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from prediction_service.runtime.packages import archive
from prediction_service.runtime.packages.archive import Bounds, Member
from prediction_service.runtime.packages.policy_description import read_hints
from prediction_service.runtime.packages.pt_file import read_state
from prediction_service.runtime.packages.tensors import TensorSpec, check_names, read_saved
from shared.errors import PackageInvalid

NAME = "ppo_policy.zip"
POLICY = "policy.pth"
_DATA = "data"
_VERSION = "_stable_baselines3_version"
_UNREAD = ("policy.optimizer.pth", "pytorch_variables.pth")
_NAMES = {POLICY, _DATA, _VERSION, "system_info.txt", *_UNREAD}
_FOREIGN_MEMBERS = {
    "ent_coef_optimizer.pth": "SAC",
    "actor.optimizer.pth": "SAC, TD3 or DDPG",
    "critic.optimizer.pth": "SAC, TD3 or DDPG",
}
_INSTEAD = "train PPO with MlpPolicy on a plain vector of observations"
_REMEDY = "save the policy with model.save('ppo_policy.zip') of stable-baselines3"
_BOUNDS_RATIO = 8
"""Weights barely compress; only the text of the description does."""
_BOUNDS_BYTES = 4 << 20
_MOST_DATA_BYTES = 4 << 20
_MOST_VERSION_BYTES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """What the file of a policy says."""

    tensors: dict[str, TensorSpec]
    """Of policy.pth, in its order."""
    hints: dict[str, str]
    """What its description says of activation and spaces; see policy_description."""


def read_policy_zip(path: Path) -> PolicyFile:
    """Read a policy's file; PackageInvalid: it is unsafe, damaged or something else."""
    with _opened(path) as (file, members):
        for name, member in members.items():
            # torch and the readers of the text check no checksum.
            for _ in archive.blocks(file, member, what=NAME):
                pass
            if name in _UNREAD:
                check_names(_content(file, member), what=f"{NAME}: {name}", remedy="remove it, it is not needed")
        version = _text(file, members.get(_VERSION), _MOST_VERSION_BYTES)
        hints = read_hints(_text(file, members.get(_DATA), _MOST_DATA_BYTES), what=NAME)
        if version.strip().isprintable() and version.strip():
            hints["version"] = version.strip()
        policy = _content(file, members[POLICY])
    what = f"{NAME}: {POLICY}"
    state = read_saved(policy, what=what, remedy=_REMEDY)
    return PolicyFile(tensors=read_state(state, what=what, remedy=_REMEDY), hints=hints)


def open_policy(path: Path) -> io.BytesIO:
    """Give policy.pth of a policy's file, its checksum checked."""
    with _opened(path) as (file, members):
        return _content(file, members[POLICY])


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, dict[str, Member]]]:
    with path.open("rb") as file:
        size = path.stat().st_size
        if not size:
            raise PackageInvalid(f"{NAME} is empty; {_REMEDY}")
        bounds = Bounds(entries=32, inflated=_BOUNDS_RATIO * size + _BOUNDS_BYTES)
        members = archive.read_members(file, bounds, what=NAME)
        for name in members:
            if name in _FOREIGN_MEMBERS:
                raise PackageInvalid(
                    f"{NAME} holds a policy of {_FOREIGN_MEMBERS[name]}, which is not served; {_INSTEAD}"
                )
        for name in members.keys() - _NAMES:
            raise PackageInvalid(f"{NAME} holds {name[:80]!a}, which no PPO of stable-baselines3 has; {_REMEDY}")
        if POLICY not in members:
            raise PackageInvalid(f"{NAME} lacks {POLICY}; {_REMEDY}")
        yield file, members


def _content(file: BinaryIO, member: Member) -> io.BytesIO:
    return io.BytesIO(archive.read(file, member, most=member.size, what=NAME))


def _text(file: BinaryIO, member: Member | None, most: int) -> str:
    if member is None:
        return ""
    try:
        return archive.read(file, member, most=most, what=NAME).decode()
    except UnicodeDecodeError as error:
        raise PackageInvalid(f"{NAME}: {member.name} is no text; {_REMEDY}") from error
