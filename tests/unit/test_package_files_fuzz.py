"""Files of packages changed at random: they are refused in one sentence, or torch reads of them what was read here."""

import io
import pickle
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from prediction_service.runtime.packages.policy_file import open_policy, read_policy_zip
from prediction_service.runtime.packages.pt_file import read_pt
from prediction_service.runtime.packages.tensors import TensorSpec
from shared.errors import PackageInvalid
from tests.support.hostile_zips import mutated, mutated_pickle, mutated_policy
from tests.support.package_files import ppo_bytes, saved

MOST_BYTES = 64 << 20
SMALL = {"format": "patchtst/1", "config": {"d_model": 3}, "state_dict": {"a": torch.zeros(3, 2), "b": torch.ones(2)}}


def read_by_torch(file: Any) -> dict[str, TensorSpec] | None:
    """Give what torch reads of a file; None: it reads nothing."""
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        pickle.UnpicklingError,
    ):
        return None
    state = content.get("state_dict", content)
    return {
        name.removeprefix("_orig_mod."): TensorSpec(dtype=str(tensor.dtype)[6:], shape=tuple(tensor.shape))
        for name, tensor in state.items()
    }


def check(path: Path, read: Callable[[Path], Any], opened: Callable[[Path], Any]) -> bool:
    """Read a file; say whether it was accepted, and then agree with torch."""
    try:
        tensors = read(path).tensors
    except PackageInvalid:
        return False
    found = read_by_torch(opened(path))
    assert found is None or found == tensors
    return True


@pytest.mark.parametrize("change", [mutated, mutated_pickle])
def test_pt_when_changed_at_random_then_refused_or_read_as_torch_does(tmp_path: Path, change: Any):
    chance, path, good = random.Random(5), tmp_path / "forecast_model.pt", saved(SMALL)
    accepted = 0
    tracemalloc.start()
    for _ in range(400):
        path.write_bytes(change(good, chance))
        accepted += check(path, read_pt, lambda found: io.BytesIO(found.read_bytes()))
    assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    tracemalloc.stop()
    assert accepted < 200


@pytest.mark.parametrize("change", [mutated, mutated_policy])
def test_policy_when_changed_at_random_then_refused_or_read_as_torch_does(tmp_path: Path, change: Any):
    chance, path, good = random.Random(5), tmp_path / "ppo_policy.zip", ppo_bytes()
    accepted = 0
    tracemalloc.start()
    for _ in range(120):
        path.write_bytes(change(good, chance))
        accepted += check(path, read_policy_zip, open_policy)
    assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    tracemalloc.stop()
    assert accepted < 80


@pytest.mark.parametrize("kind", ["forecast", "ppo"])
def test_file_when_cut_at_any_of_twenty_places_then_refused(tmp_path: Path, kind: str):
    path, good = tmp_path / "file", saved(SMALL) if kind == "forecast" else ppo_bytes()
    for place in range(20):
        path.write_bytes(good[: len(good) * place // 20])
        with pytest.raises(PackageInvalid, match=r"empty|no complete zip"):
            (read_pt if kind == "forecast" else read_policy_zip)(path)


def test_file_when_flat_bomb_claims_little_then_refused_without_inflating_it(tmp_path: Path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("policy.pth", bytes(100 << 20))
    lying = bytearray(file.getvalue())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = lying.index(mark) + at
        lying[place : place + 4] = (1000).to_bytes(4, "little")
    path = tmp_path / "ppo_policy.zip"
    path.write_bytes(lying)
    tracemalloc.start()
    with pytest.raises(PackageInvalid, match="does not inflate"):
        read_policy_zip(path)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
