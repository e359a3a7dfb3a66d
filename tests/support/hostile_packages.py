"""Uploads that must be refused: pairs whose files are unsafe, damaged or no such files, and the words that say so.

Each case changes one thing of a good pair; a marker is a file that no case may ever bring about.
"""

import io
import pickle
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.hostile_zips import (
    Claimed,
    Running,
    changed,
    claiming,
    directory_field,
    directory_of,
    executing,
    flipped,
    flipped_in,
    overlapping,
    packed,
    pickled,
    torch_zip,
    touching,
    unpacked,
    with_member,
    with_number,
)
from tests.support.package_files import PackageFiles, saved

Case = tuple[Callable[[PackageFiles, Path], PackageFiles], str]


def forecast(change: Callable[[bytes, Path], bytes], words: str) -> Case:
    """Give a case with another forecaster."""
    return lambda good, marker: replace(good, forecast=change(good.forecast, marker)), words


def policy(change: Callable[[bytes, Path], bytes], words: str) -> Case:
    """Give a case with another policy."""
    return lambda good, marker: replace(good, ppo=change(good.ppo, marker)), words


def pt_pickle(content: Callable[[Path], Any], *, protocol: int = 2) -> Callable[[bytes, Path], bytes]:
    """Give a forecaster's file whose pickle holds this."""
    return lambda _, marker: torch_zip(pickled(content(marker), protocol=protocol))


def in_policy(name: str, content: Callable[[Path], bytes]) -> Callable[[bytes, Path], bytes]:
    """Put another member into the policy's file."""
    return lambda data, marker: changed(data, lambda members: members.update({name: content(marker)}))


def full_name(members: dict[str, bytes], name: str) -> str:
    """Give the name of a member of a file of torch, with its folder."""
    return next(full for full in members if full.endswith(f"/{name}"))


def put(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """Change one member of a file of torch, the checksum right."""

    def apply(members: dict[str, bytes]) -> None:
        name_inside = full_name(members, name)
        members[name_inside] = change(members[name_inside])

    return changed(data, apply)


def renamed_header(data: bytes) -> bytes:
    """Name an entry in its own header otherwise than in the directory."""
    return data.replace(b"policy.pth", b"policy.pty", 1)


def longer_header(data: bytes) -> bytes:
    """Tell another size in the header of the first entry."""
    return data[:22] + b"\xff" + data[23:]


def gap(data: bytes) -> bytes:
    """Hide bytes before the directory, which the end of the file knows to begin behind them."""
    start = directory_of(data)
    return data[:start] + b"hidden" + data[start:-6] + (start + 6).to_bytes(4, "little") + data[-2:]


def nested(data: bytes, _: Path) -> bytes:
    """Wrap the policy's file in another zip."""
    return packed({"ppo_policy.zip": data}, method=zipfile.ZIP_DEFLATED)


def swallowed(data: bytes, _: Path) -> bytes:
    """Put a bomb in the place of policy.pth: a zip of zips that inflates a thousandfold each time."""
    bomb = packed({"a": bytes(3 << 20)}, method=zipfile.ZIP_DEFLATED)
    return changed(
        data, lambda members: members.update({"policy.pth": packed({"b": bomb}, method=zipfile.ZIP_DEFLATED)})
    )


def bomb(data: bytes, _: Path) -> bytes:
    """Let the description inflate to twenty megabytes."""
    return changed(data, lambda members: members.update({"data": bytes(20 << 20)}), method=zipfile.ZIP_DEFLATED)


def link(data: bytes, _: Path) -> bytes:
    """Add a symbolic link."""
    return with_member(data, "system_info.txt2", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)


STRUCTURE: dict[str, Case] = {
    "forecaster is a text": forecast(lambda *_: b"weights, honestly\n" * 50, "no complete zip file"),
    "policy is a text": policy(lambda *_: b"PK but nothing else" * 50, "no complete zip file"),
    "forecaster is a picture": forecast(lambda *_: b"\x89PNG\r\n\x1a\n" + bytes(500), "no complete zip file"),
    "forecaster is a gzip": forecast(lambda *_: b"\x1f\x8b" + bytes(500), "no complete zip file"),
    "forecaster is an empty zip": forecast(lambda *_: packed({}), "no file of torch.save"),
    "forecaster cut off": forecast(lambda data, _: data[: len(data) // 2], "no complete zip file"),
    "policy cut off": policy(lambda data, _: data[:-1], "no complete zip file"),
    "files swapped": (lambda good, _: replace(good, forecast=good.ppo, ppo=good.forecast), "torch.save never writes"),
    "policy bomb": policy(bomb, "inflate to more than"),
    "policy in a zip": policy(nested, "no PPO of stable-baselines3"),
    "zip of zips": policy(swallowed, "torch.save never writes"),
    "overlapping entries": policy(lambda data, _: overlapping(data), "overlap"),
    "path upwards": policy(lambda data, _: with_member(data, "../../../tmp/evil", b"x"), "no plain relative path"),
    "absolute path": policy(lambda data, _: with_member(data, "/etc/cron.d/evil", b"x"), "no plain relative path"),
    "path of Windows": policy(lambda data, _: with_member(data, "C:evil", b"x"), "no plain relative path"),
    "backslashes": forecast(lambda data, _: with_member(data, "..\\evil", b"x"), "no plain relative path"),
    "folder": policy(lambda data, _: with_member(data, "folder/", b""), "no plain relative path"),
    "link": policy(link, "a link, a folder or a device"),
    "policy.pth twice": policy(lambda data, _: with_member(data, "policy.pth", b"x"), "twice"),
    "encrypted": policy(lambda data, _: directory_field(data, 8, "<H", 1), "encrypted"),
    "unknown compression": policy(lambda data, _: directory_field(data, 10, "<H", 14), "not read here"),
    "unknown member": policy(lambda data, _: with_member(data, "run.py", b"import os"), "'run.py'"),
    "script before the zip": policy(lambda data, _: b"#!/bin/sh\ntouch x\n" + data, "no complete zip file"),
    "page behind the zip": forecast(lambda data, _: data + b"<html>", "no complete zip file"),
    "bytes in a gap": policy(lambda data, _: gap(data), "between its last entry and its directory"),
    "other name in the header": policy(lambda data, _: renamed_header(data), "contradicts the directory"),
    "other size in the header": policy(lambda data, _: longer_header(data), "contradicts the directory"),
    "too many entries": forecast(lambda *_: packed({f"archive/data/{n}": b"" for n in range(5000)}), "entries"),
    "forecaster compressed": forecast(
        lambda data, _: packed(unpacked(data), method=zipfile.ZIP_DEFLATED), "is compressed"
    ),
    "flipped bit in a pickle": forecast(lambda d, _: flipped_in(d, b"patch_stride"), "checksum"),
    "flipped bit in the weights": forecast(lambda data, _: flipped(data, len(data) // 2), "checksum"),
    "flipped bit in the directory": forecast(lambda data, _: flipped(data, directory_of(data) + 17), "contradicts"),
    "flipped bit in the policy": policy(lambda data, _: flipped_in(data, b"FloatStorage"), "checksum"),
    "record missing": forecast(lambda d, _: changed(d, lambda m: m.pop(full_name(m, "data/0"))), "lacks the numbers"),
    "record too many": forecast(lambda d, _: changed(d, lambda m: m.update({"archive/data/999": b"x"})), "no part of"),
    "record too short": forecast(lambda data, _: put(data, "data/0", lambda _: b"xx"), "other than"),
    "other byte order": forecast(lambda data, _: put(data, "byteorder", lambda _: b"big"), "byte order"),
}  # fmt: skip
"""What is wrong with the archives."""


def module() -> Any:
    """Give a module of torch as many save it: whole."""
    import torch

    return torch.nn.Sequential(torch.nn.Linear(4, 2))


def script(*_: Any) -> bytes:
    """Give a TorchScript program, as torch writes them."""
    code = {"archive/code/__torch__.py": b"pass", "archive/constants.pkl": pickle.dumps(())}
    return packed({**unpacked(torch_zip(pickled({}))), **code})


def old_format(*_: Any) -> bytes:
    """Give a file as torch before 1.6 wrote it."""
    import torch

    file = io.BytesIO()
    torch.save({"a": torch.zeros(1)}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def holding_itself(_: Path) -> Any:
    """Give a dictionary whose description holds itself."""
    config: dict[str, Any] = {}
    config["config"] = config
    return {"format": "patchtst/1", "config": config, "state_dict": {}}


def laughing(_: Path) -> Any:
    """Give a description of a few bytes that unfolds to a billion values."""
    config: list[Any] = ["ha"]
    for _level in range(9):
        config = [config] * 10
    return {"format": "patchtst/1", "config": {"a": config}, "state_dict": {}}


CODE: dict[str, Case] = {
    "shell in the forecaster": forecast(pt_pickle(lambda m: {"a": touching(m)}), "posix.system"),
    "code in the forecaster": forecast(pt_pickle(lambda m: {"a": executing(m)}), "exec"),
    "shell in protocol 4": forecast(pt_pickle(lambda m: {"a": touching(m)}, protocol=4), "with protocol 4"),
    "shell by its name on the stack": forecast(
        lambda *_: torch_zip(b"\x80\x02X\x02\0\0\0osX\x06\0\0\0system\x93."), "operation STACK_GLOBAL"
    ),
    "shell before the weights": forecast(
        lambda data, marker: put(data, "data.pkl", lambda old: pickle.dumps(touching(marker), 2)[:-1] + b"0" + old[2:]),
        "posix.system",
    ),
    "bare pickle": forecast(lambda _, marker: pickle.dumps(executing(marker)), "bare pickle"),
    "import of a module": forecast(pt_pickle(lambda _: {"a": Running(__import__, "antigravity")}), "__import__"),
    "object made by an old operation": forecast(
        lambda _, marker: torch_zip(b"\x80\x02(S'touch " + str(marker).encode() + b"'\nios\nsystem\n."), "operation"
    ),
    "shell in the policy": policy(
        lambda data, m: changed(
            data, lambda inside: inside.update({"policy.pth": torch_zip(pickled({"a": touching(m)}))})
        ),
        "posix.system",
    ),
    "shell in the optimizer": policy(
        in_policy("policy.optimizer.pth", lambda m: torch_zip(pickled({"a": touching(m)}))), "remove it"
    ),
    "code in the variables": policy(
        in_policy("pytorch_variables.pth", lambda m: torch_zip(pickled(executing(m)))), "remove it"
    ),
    "optimizer is a bare pickle": policy(
        in_policy("policy.optimizer.pth", lambda m: pickle.dumps(executing(m))), "bare pickle"
    ),
}
"""What would run code where pickles are loaded."""

PICKLES: dict[str, Case] = {
    "whole module": forecast(
        lambda *_: saved(module()), "whole pickled module (torch.nn.modules.container.Sequential)"
    ),
    "program of TorchScript": forecast(script, "TorchScript"),
    "format of old torch": forecast(old_format, "before 1.6"),
    "pickle of a list": forecast(pt_pickle(lambda _: [1, 2, 3]), "no dictionary of tensors"),
    "no pickle at all": forecast(lambda *_: torch_zip(b"\xff" * 100), "cannot be read"),
    "huge number": forecast(lambda *_: torch_zip(b"\x80\x02\x8b\x00\x00\x00\x7f."), "operation LONG4"),
    "memo of four billion": forecast(lambda *_: torch_zip(b"\x80\x02Nr\xff\xff\xff\xff" + b"NQ."), "cannot be read"),
    "marks without end": forecast(lambda *_: torch_zip(b"\x80\x02" + b"(" * 300_000 + b"."), "more steps"),
    "description that holds itself": forecast(pt_pickle(holding_itself), "config"),
    "description that unfolds": forecast(pt_pickle(laughing), "config has more than"),
    "loss of thousands of letters": forecast(
        lambda *_: saved({"format": "patchtst/1", "config": {"loss": "x" * 4000}, "state_dict": module().state_dict()}),
        "config.loss",
    ),
    "extra key": forecast(
        pt_pickle(lambda _: {"format": "patchtst/1", "config": {}, "state_dict": {}, "optimizer": 1}), "'optimizer'"
    ),
}
"""What is wrong with the pickles."""

INFINITE = np.array([0x7F80], "<u2").tobytes()
TENSORS: dict[str, Case] = {
    "billions of one number": forecast(lambda *_: claiming(a=Claimed((4_000_000_000,), (0,))), "expanded"),
    "billions of strides": forecast(lambda *_: claiming(a=Claimed((4_000_000_000,), (1,))), "claims 4,000,000,000"),
    "billions in the storage": forecast(lambda *_: claiming(a=Claimed((1,), (1,), elements=1 << 40)), "other than"),
    "many dimensions": forecast(lambda *_: claiming(a=Claimed((1,) * 40, (1,) * 40)), "no layer has"),
    "more dimensions than torch has": forecast(lambda *_: claiming(a=Claimed((1,) * 65, (1,) * 65)), "cannot be read"),
    "offset outside": forecast(lambda *_: claiming(a=Claimed((1,), (1,), offset=1)), "claims 1 numbers"),
    "negative size": forecast(lambda *_: claiming(a=Claimed((-1,), (1,))), "cannot be read"),
    "stride outside": forecast(
        lambda *_: claiming({"0": bytes(16)}, a=Claimed((2, 2), (9, 1), elements=4)), "claims 4 numbers"
    ),
    "windows over one another": forecast(
        lambda *_: claiming({"0": bytes(400)}, **{f"t{n}": Claimed((100,), (1,), elements=100) for n in range(9)}),
        "claim more numbers",
    ),
    "two types of one record": forecast(
        lambda *_: claiming(a=Claimed((1,), (1,)), b=Claimed((1,), (1,), kind="IntStorage")), "two sizes"
    ),
    "record outside the folder": forecast(lambda *_: claiming(a=Claimed((1,), (1,), key="../version")), "lacks"),
    "NaN in the forecaster": forecast(lambda data, _: with_number(data, np.nan), "not finite"),
    "infinity in the policy": policy(
        lambda data, _: changed(data, lambda m: m.update({"policy.pth": with_number(m["policy.pth"], -np.inf)})),
        "not finite",
    ),
    "infinity in bfloat16": forecast(
        lambda *_: claiming({"0": INFINITE}, a=Claimed((1,), (1,), kind="BFloat16Storage")), "not finite"
    ),
    "text among the tensors": forecast(pt_pickle(lambda _: {"a": "b"}), "no tensor"),
}  # fmt: skip
"""What is wrong with the tensors."""
