"""A package in memory answers from candles and an account alone; its probe tells it from others."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO

from prediction_service.runtime.packages.account import EMPTY_ACCOUNT
from prediction_service.runtime.packages.core import CORE_NAMES, core_features
from prediction_service.runtime.packages.forecast_features import forecast_features
from prediction_service.runtime.packages.infer import complete_manifest
from prediction_service.runtime.packages.instance import Instance, refuse_unusable
from prediction_service.runtime.packages.policy_file import read_policy_zip
from prediction_service.runtime.packages.pt_file import read_pt
from shared.errors import CandlesUnusable, PackageInvalid, Unavailable
from tests.support.package_files import (
    CHANNELS,
    OBSERVED,
    PackageFiles,
    bare_bytes,
    patchtst_bytes,
    ppo_bytes,
    probed,
    random_candles,
    saved,
    tiny_package,
)


def load(package: PackageFiles, folder: Path) -> Instance:
    package.write(folder)
    pair = read_pt(folder / "forecast_model.pt"), read_policy_zip(folder / "ppo_policy.zip")
    return Instance.load(folder, complete_manifest(package.manifest, *pair))


def test_instance_when_asked_then_answer_is_that_of_forecaster_observation_and_policy_in_turn(tmp_path: Path) -> None:
    package = tiny_package()
    instance, candles = load(package, tmp_path), random_candles(1500)
    account = np.array([1, 2, 0.02, 0.14, -0.003, 12, 180, 0.7, 0.08])
    answer = instance.answer(candles, account)
    core = core_features(candles)
    scaled = core[:, [CORE_NAMES.index(channel["name"]) for channel in CHANNELS]].copy()
    scaled[:, :2] *= 100
    scaled = (scaled - [channel["mean"] for channel in CHANNELS]) / [channel["scale"] for channel in CHANNELS]
    np.testing.assert_allclose(
        answer.prediction, instance.forecaster.predict(scaled[-64:].astype(np.float32)), atol=1e-6
    )
    row = core[-1].copy()
    row[[CORE_NAMES.index(channel["name"]) for channel in CHANNELS]] = scaled[-1]
    seen = np.concatenate([row, forecast_features(answer.prediction), account]).astype(np.float32)
    seen = np.clip((seen - OBSERVED["mean"]) / np.sqrt(np.array(OBSERVED["var"]) + 1e-8), -10, 10).astype(np.float32)
    expected = PPO.load(tmp_path / "ppo_policy.zip", device="cpu").predict(seen, deterministic=True)[0]
    np.testing.assert_allclose(answer.action_raw, expected, rtol=1e-5, atol=1e-6)
    direction = float(expected[0])
    assert answer.decision.signal == ("LONG" if direction > 0.33 else "SHORT" if direction < -0.33 else "FLAT")
    np.testing.assert_allclose(answer.price_path, candles.close[-1] * np.exp(answer.prediction))
    assert (answer.price, answer.lookback_rows_used, answer.feature_dim) == (candles.close[-1], 828, 72)
    assert answer.scaled_from_warmup == ()


def test_instance_when_asked_of_many_moments_then_says_long_short_and_flat(tmp_path: Path) -> None:
    instance, candles = load(tiny_package(warmup_bars=800), tmp_path), random_candles(1500)
    answers = [instance.answer(candles.part(end - 800, end), EMPTY_ACCOUNT) for end in range(800, 1500, 25)]
    assert {answer.decision.signal for answer in answers} == {"LONG", "SHORT", "FLAT"}
    assert all(np.isfinite(answer.curves).all() and answer.lookback_rows_used == 128 for answer in answers)


def test_instance_of_a_bare_package_without_manifest_when_asked_then_names_channels_scaled_by_its_rows(
    tmp_path: Path,
) -> None:
    package = PackageFiles(forecast=bare_bytes(prefix="_orig_mod."), ppo=ppo_bytes(), manifest={})
    answer = load(package, tmp_path).answer(random_candles(1500), EMPTY_ACCOUNT)
    assert answer.scaled_from_warmup == CORE_NAMES
    assert answer.curves.shape == (192, 3)


def test_two_instances_when_asked_in_turns_then_each_gives_its_own_answers(tmp_path: Path) -> None:
    candles = random_candles(1500)
    one, other = (load(tiny_package(seed), tmp_path / str(seed)) for seed in (3, 8))
    first, second = one.answer(candles, EMPTY_ACCOUNT), other.answer(candles, EMPTY_ACCOUNT)
    assert not np.allclose(first.action_raw, second.action_raw)
    for _ in range(3):
        np.testing.assert_array_equal(one.answer(candles, EMPTY_ACCOUNT).action_raw, first.action_raw)
        np.testing.assert_array_equal(other.answer(candles, EMPTY_ACCOUNT).action_raw, second.action_raw)


def test_instance_when_its_files_are_overwritten_in_place_then_answers_as_before(tmp_path: Path) -> None:
    instance, candles = load(tiny_package(), tmp_path), random_candles(1500)
    before = instance.answer(candles, EMPTY_ACCOUNT)
    for name in ("forecast_model.pt", "ppo_policy.zip"):
        (tmp_path / name).write_bytes(b"")
    np.testing.assert_array_equal(instance.answer(candles, EMPTY_ACCOUNT).action_raw, before.action_raw)


def test_probe_when_files_are_those_of_its_trainer_then_passes_else_tells_how_far_off(tmp_path: Path) -> None:
    package = probed(tiny_package(), bars=760)
    assert load(tiny_package(), tmp_path / "none").check_probe() is None
    own = load(package, tmp_path / "own").check_probe()
    assert own is not None
    assert (own.passed, own.forecast_error < 1e-5, own.action_error < 1e-5) == (True, True, True)
    other_policy = load(replace(package, ppo=ppo_bytes(8)), tmp_path / "policy").check_probe()
    assert other_policy is not None
    assert (other_policy.passed, other_policy.forecast_error < 1e-5, other_policy.action_error > 1e-3) == (
        False,
        True,
        True,
    )
    other_forecaster = load(replace(package, forecast=patchtst_bytes(8)), tmp_path / "forecaster").check_probe()
    assert other_forecaster is not None
    assert (other_forecaster.passed, other_forecaster.forecast_error > 1e-3) == (False, True)


def test_probe_when_a_scale_of_the_manifest_is_another_then_fails(tmp_path: Path) -> None:
    package = probed(tiny_package(), bars=760)
    package.manifest["forecast"] = package.manifest["forecast"] | {
        "channels": [{**CHANNELS[0], "scale": 0.5}, *CHANNELS[1:]]
    }
    result = load(package, tmp_path).check_probe()
    assert result is not None
    assert not result.passed


def test_instance_when_candles_do_not_reach_then_refuses_with_both_numbers(tmp_path: Path) -> None:
    instance = load(tiny_package(), tmp_path)
    with pytest.raises(PackageInvalid, match="700 candles give 28 valid rows, the forecaster reads 64"):
        instance.answer(random_candles(700), EMPTY_ACCOUNT)
    with pytest.raises(PackageInvalid, match="candles are of 60 seconds, the package was made for 900"):
        instance.answer(random_candles(1500, interval_seconds=60), EMPTY_ACCOUNT)


@pytest.mark.parametrize(
    ("prices", "place", "words"),
    [
        ({"high": 1e308, "low": 1e-3, "close": 1e-3}, 1490, r"hl_range_pct of the candle of \S+T12:30:00Z is inf"),
        (
            {"high": 1e300, "close": 1e300},
            1490,
            r"oc_range_pct of the candle of \S+T12:30:00Z is 1.38e\+298, which no market",
        ),
        ({"high": 1e300, "close": 1e300}, 900, "correct the prices of that candle or one before it"),
    ],
)
def test_instance_when_a_candle_cannot_be_then_the_candle_is_blamed_not_the_package(
    tmp_path: Path, prices: dict[str, float], place: int, words: str
) -> None:
    candles = random_candles(1500)
    for name, price in prices.items():
        getattr(candles, name)[place] = price
    instance = load(tiny_package(), tmp_path)
    with pytest.raises(CandlesUnusable, match=words):
        instance.answer(candles, EMPTY_ACCOUNT)
    with pytest.raises(CandlesUnusable, match=words):
        refuse_unusable(candles, instance.manifest.forecast)


def test_instance_when_an_unlikely_candle_is_older_than_what_it_reads_then_it_answers(tmp_path: Path) -> None:
    candles = random_candles(1500)
    candles.high[700], candles.low[700] = 1e18, 1e-5
    told = tiny_package()
    assert np.isfinite(load(told, tmp_path).answer(candles, EMPTY_ACCOUNT).curves).all()
    told.manifest["forecast"] = {**told.manifest["forecast"], "channels": [{"name": "ret_1"}, *CHANNELS[1:]]}
    with pytest.raises(CandlesUnusable, match="hl_range_pct"):
        load(told, tmp_path).answer(candles, EMPTY_ACCOUNT)


def test_probe_when_its_candles_cannot_be_then_the_package_is_refused(tmp_path: Path) -> None:
    package = probed(tiny_package(), bars=760)
    package.manifest["probe"]["candles"]["high"][750] = 1e300
    with pytest.raises(PackageInvalid, match=r"probe.candles: hl_range_pct of the candle of \S+ is \S+e\+29"):
        load(package, tmp_path).check_probe()


def broken(value: float) -> bytes:
    """Give a forecaster one of whose weights has such a value."""
    import io

    import torch

    content = torch.load(io.BytesIO(patchtst_bytes()), weights_only=True)
    content["state_dict"]["head.projection.bias"][100] = value
    return saved(content)


@pytest.mark.parametrize(
    ("value", "words"), [(1e4, "price path"), (float("nan"), "forecast"), (float("inf"), "forecast")]
)
def test_instance_when_a_number_is_not_finite_then_refuses_and_makes_up_nothing(
    tmp_path: Path, value: float, words: str
) -> None:
    instance = load(tiny_package(), tmp_path)
    (tmp_path / "forecast_model.pt").write_bytes(broken(value))
    instance = Instance.load(tmp_path, instance.manifest)
    with pytest.raises(PackageInvalid, match=f"gives a {words} that is not finite"):
        instance.answer(random_candles(1500), EMPTY_ACCOUNT)


def test_instance_when_its_library_is_missing_then_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = load(tiny_package(), tmp_path).manifest
    for name in [name for name in sys.modules if name.startswith("prediction_service.runtime.packages.forecaster")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Unavailable, match=r"pip install 'pumpcast\[packages\]'"):
        Instance.load(tmp_path, manifest)


def test_instance_and_manifest_when_imported_then_no_heavy_library_is() -> None:
    heavy: list[Any] = ["torch", "talib", "stable_baselines3", "gymnasium"]
    modules = "from prediction_service.runtime.packages import infer, instance, forecast_sizes, policy_sizes, probe; "
    code = f"import sys; {modules} print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
