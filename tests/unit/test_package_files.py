"""Files of packages are read without torch: what good ones say, in every way that torch and others write them."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from prediction_service.runtime.packages.policy_file import open_policy, read_policy_zip
from prediction_service.runtime.packages.pt_file import read_pt
from prediction_service.runtime.packages.tensors import TensorSpec
from shared.errors import PackageInvalid
from tests.support.hostile_zips import changed, packed, unpacked
from tests.support.package_files import bare_bytes, patchtst_bytes, ppo, ppo_bytes, saved, saved_by_sb3


@pytest.fixture
def pt(tmp_path: Path) -> Any:
    def read(content: Any) -> Any:
        path = tmp_path / "forecast_model.pt"
        path.write_bytes(content if isinstance(content, bytes) else saved(content))
        return read_pt(path)

    return read


@pytest.fixture
def zipped(tmp_path: Path) -> Any:
    def write(content: bytes) -> Path:
        path = tmp_path / "ppo_policy.zip"
        path.write_bytes(content)
        return path

    return write


def test_pt_when_of_every_type_of_number_then_types_and_shapes(pt: Any):
    types = [
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool,
    ]  # fmt: skip
    found = pt({str(kind): torch.ones(2, 3, dtype=kind) for kind in types})
    assert found.tensors == {str(kind): TensorSpec(dtype=str(kind)[6:], shape=(2, 3)) for kind in types}
    assert (found.format, found.config) == (None, {})


def test_pt_when_tensors_are_views_parts_scalars_or_empty_then_read(pt: Any):
    whole = torch.randn(4, 6)
    found = pt(
        {"turned": whole.t(), "part": whole[1:3], "tied": whole, "scalar": torch.tensor(3.0), "none": torch.zeros(0)}
    )
    assert {name: tensor.shape for name, tensor in found.tensors.items()} == {
        "turned": (6, 4), "part": (2, 6), "tied": (4, 6), "scalar": (), "none": (0,)
    }  # fmt: skip


def test_pt_when_of_a_module_with_versions_or_of_parameters_then_read(pt: Any):
    layers = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    assert pt(layers.state_dict()).tensors["1.num_batches_tracked"] == TensorSpec(dtype="int64", shape=())
    assert pt(dict(layers.named_parameters())).tensors["0.weight"] == TensorSpec(dtype="float32", shape=(3, 4))


def test_pt_when_it_has_a_description_then_plain_values(pt: Any):
    config = {
        "d_model": 3,
        "dropout": 0.1,
        "huge": 1e20,
        "none": None,
        "sizes": (1, 2),
        "on": True,
        "inner": {"a": ["b", -5, 1 << 40]},
    }
    found = pt({"format": "patchtst/1", "config": config, "state_dict": {"a": torch.zeros(1)}})
    assert (found.format, found.config) == ("patchtst/1", {**config, "sizes": [1, 2]})


def test_pt_when_compiled_by_torch_then_names_are_those_of_the_module(pt: Any):
    assert pt(bare_bytes(prefix="_orig_mod.")).tensors == pt(bare_bytes()).tensors


def test_pt_when_packed_again_by_another_program_then_the_same(pt: Any, tmp_path: Path):
    members = unpacked(patchtst_bytes())
    for name, content in members.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    again = tmp_path / "again.pt"
    with zipfile.ZipFile(again, "w") as archive:
        for name in members:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(members[name])
    assert pt(again.read_bytes()) == pt(patchtst_bytes())


def test_pt_when_larger_than_a_block_then_every_number_is_looked_at(pt: Any):
    weights = torch.zeros(1_000_003)
    assert pt({"a": weights}).tensors["a"].shape == (1_000_003,)
    for place in (262_144, 1_000_002):
        weights[place] = torch.nan
        with pytest.raises(PackageInvalid, match="not finite"):
            pt({"a": weights})
        weights[place] = 0


def test_policy_when_of_stable_baselines_then_its_hints(zipped: Any):
    from gymnasium.spaces import Box, Discrete
    from stable_baselines3.common.torch_layers import FlattenExtractor

    box = Box(np.array([-1.0, -0.25], np.float32), np.array([1.0, 2e5], np.float32))
    found = read_policy_zip(zipped(saved_by_sb3(ppo(action_space=box, net_arch=[4]))))
    version = found.hints.pop("version")
    assert version[0].isdigit()
    assert found.hints == {
        "activation": "tanh", "observation_shape": "72", "action_space": "box", "action_low": "-1.0,-0.25",
        "action_high": "1.0,200000.0",
    }  # fmt: skip
    chosen = ppo(action_space=Discrete(3), net_arch={"pi": [4], "vf": []}, activation_fn=torch.nn.LeakyReLU,
                 features_extractor_class=FlattenExtractor)  # fmt: skip
    hints = read_policy_zip(zipped(saved_by_sb3(chosen))).hints
    assert (hints["activation"], hints["action_space"], hints["action_n"]) == ("leaky_relu", "discrete", "3")


def test_policy_when_read_then_tensors_are_those_torch_loads(zipped: Any):
    path = zipped(ppo_bytes())
    loaded = torch.load(open_policy(path), weights_only=True)
    assert {name: tensor.shape for name, tensor in read_policy_zip(path).tensors.items()} == {
        name: tuple(tensor.shape) for name, tensor in loaded.items()
    }


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_policy_when_packed_again_with_fewer_members_then_read(zipped: Any, method: int):
    whole = ppo_bytes()
    found = read_policy_zip(zipped(packed({"policy.pth": unpacked(whole)["policy.pth"]}, method=method)))
    assert found.hints == {}
    assert found.tensors == read_policy_zip(zipped(whole)).tensors


@pytest.mark.parametrize("data", [b"[]", b"{}", b'"text"', b'{"policy_kwargs": 5, "action_space": [1]}'])
def test_policy_when_its_description_is_odd_then_no_hints(zipped: Any, data: bytes):
    hints = read_policy_zip(zipped(changed(ppo_bytes(), lambda members: members.update(data=data)))).hints
    assert set(hints) == {"version"}


def test_files_when_read_then_torch_is_not_imported():
    program = (
        "import sys, prediction_service.runtime.packages.validator, prediction_service.usecases.package_checks\n"
        "sys.exit(bool({'torch', 'talib', 'stable_baselines3'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
