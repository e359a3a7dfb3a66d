"""Training of packages: no look ahead, the same again, an environment that pays as paper trading does."""

import asyncio
import json
import warnings
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile

import gymnasium.utils.env_checker
import numpy as np
import pytest
import stable_baselines3.common.env_checker
import torch
from stable_baselines3 import PPO

from prediction_service.runtime.packages.account import EMPTY_ACCOUNT
from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.instance import Instance
from prediction_service.runtime.packages.probe import probe_candles
from prediction_service.runtime.paper import Rules
from prediction_service.usecases.package_checks import validate_files
from pumpcast.packages.environment import TradingEnvironment
from pumpcast.packages.folder import read_given, written
from pumpcast.packages.parts import answered, split
from pumpcast.packages.stage import Stage, make_stage, untrained_policy
from pumpcast.packages.windows import make_windows
from shared.contracts.packages import Manifest
from shared.errors import Invalid
from tests.support.trained import ENOUGH, RECIPE, history, train_small

LONG = np.array([1, 0, 0, 0, 0], np.float32)
SHORT = np.array([-1, 0, 0, 0, 0], np.float32)
FLAT = np.zeros(5, np.float32)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("trained") / "small"
    train_small(history(), target)
    return target


def stage(candles: Candles, *, rules: Rules | None = None) -> Stage:
    """Trade on the candles of a history that come after its features, with forecasts of nothing."""
    windows = make_windows(candles, RECIPE, len(candles))
    part = range(RECIPE.first_row, len(candles))
    made = make_stage(
        windows,
        candles,
        part,
        np.zeros((len(part), 192, 3)),
        untrained_policy((8,)),
        symbol="X",
        rules=rules or Rules(),
    )
    return made.normalised()


def with_last(prices: list[tuple[float, float, float, float]]) -> Stage:
    """Trade from a candle that closes at 100 on, through candles of given open, high, low, close."""
    candles = history(RECIPE.first_row + 1 + len(prices)).candles
    scaled = {
        name: getattr(candles, name) * 100 / candles.close[RECIPE.first_row]
        for name in ("open", "high", "low", "close")
    }
    for column, name in enumerate(("open", "high", "low", "close")):
        scaled[name] = np.concatenate((scaled[name][: -len(prices)], [candle[column] for candle in prices]))
    return stage(replace(candles, **scaled))


def changed(candles: Candles, place: int) -> Candles:
    """Give other prices from a place on."""
    factor = np.where(np.arange(len(candles)) < place, 1.0, 1.0 + 0.2 * np.sin(np.arange(len(candles))))
    prices = {name: getattr(candles, name) * factor for name in ("open", "high", "low", "close")}
    return replace(candles, **prices, volume=candles.volume * factor)


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    forecast = torch.load(folder / "forecast_model.pt", weights_only=True)["state_dict"]
    with ZipFile(folder / "ppo_policy.zip") as archive:
        policy = torch.load(BytesIO(archive.read("policy.pth")), weights_only=True)
    return {**forecast, **policy}


def test_environment_when_checked_then_both_checkers_find_nothing():
    environment = TradingEnvironment(stage(history(1200).candles), steps=50)
    with warnings.catch_warnings():
        # Both warn of what has no registered name or no picture, which a training environment needs not.
        warnings.filterwarnings("ignore", message=".*(spec|render).*")
        gymnasium.utils.env_checker.check_env(environment)
        stable_baselines3.common.env_checker.check_env(environment)


@pytest.mark.parametrize(
    ("action", "candle", "equity", "reason"),
    [
        (LONG, (100, 101, 99.9, 100.8), 10_000 + 200 * 0.05 / 7 - 0.4, "TP"),
        (LONG, (100, 101, 99, 100.8), 10_000 - 200 * 0.03 / 7 - 0.4, "SL"),
        (SHORT, (100, 100.1, 99.9, 100), 10_000 - 0.4, "MANUAL"),
        (SHORT, (98, 98, 97, 97.5), 10_000 + 200 * 0.02 - 0.4, "TP"),
        (FLAT, (100, 101, 99, 100.8), 10_000, None),
    ],
)
def test_environment_when_a_position_lives_a_candle_then_reward_is_what_paper_trading_pays(
    action: np.ndarray, candle: tuple[float, float, float, float], equity: float, reason: str | None
):
    environment = TradingEnvironment(with_last([candle]))
    environment.reset(seed=0)
    _, reward, terminated, truncated, told = environment.step(action)
    assert (terminated, truncated) == (False, True)
    assert told["equity"] == pytest.approx(equity, abs=1e-9)
    assert reward == pytest.approx(1e4 * np.log(equity / 10_000), abs=1e-6)
    assert [trade.reason for trade in environment.closed] == ([reason] if reason else [])


def test_environment_when_the_signal_turns_then_the_other_side_stands_and_the_policy_sees_it():
    calm = (100.0, 100.05, 99.95, 100.0)
    environment = TradingEnvironment(with_last([calm] * 3))
    empty, _ = environment.reset(seed=0)
    held, *_ = environment.step(LONG)
    assert [position.side for position in environment.account.positions] == ["LONG"]
    assert held[-9] > empty[-9]
    environment.step(SHORT)
    assert [position.side for position in environment.account.positions] == ["SHORT"]
    assert [trade.reason for trade in environment.closed] == ["SIGNAL_FLIP"]


def test_parts_then_no_window_and_no_horizon_reaches_into_another_part():
    parts = split(ENOUGH, RECIPE)
    seen = [
        range(part.start - RECIPE.context_length + 1, end)
        for part, end in (
            (parts.fit, parts.fit.stop + 192), (parts.learn, parts.learn.stop), (parts.test, parts.test.stop)
        )
    ]  # fmt: skip
    assert all(before.stop <= after.start for before, after in pairwise(seen))
    assert answered(parts.validation).stop <= parts.learn.stop
    with pytest.raises(Invalid, match=f"{ENOUGH - 1} candles without a gap are too few: this size needs {ENOUGH}"):
        split(ENOUGH - 1, RECIPE)


def test_windows_when_later_prices_change_then_scales_inputs_and_labels_before_do_not():
    candles, fitted = history().candles, split(ENOUGH, RECIPE).fit.stop
    whole, other = make_windows(candles, RECIPE, fitted), make_windows(changed(candles, fitted), RECIPE, fitted)
    assert whole.forecast == other.forecast
    rows = np.arange(RECIPE.first_row, fitted)
    assert np.array_equal(whole.at(rows), other.at(rows))
    before = rows[rows + 192 < fitted]
    assert np.array_equal(whole.labels(before), other.labels(before))
    assert not np.array_equal(whole.labels(rows), other.labels(rows))


def test_train_when_only_the_test_part_differs_then_the_same_package_with_another_report(folder: Path, tmp_path: Path):
    one = history()
    test_part = split(ENOUGH, RECIPE).test.start - RECIPE.context_length
    train_small(replace(one, candles=changed(one.candles, test_part)), tmp_path / "other")
    first, second = tensors(folder), tensors(tmp_path / "other")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    known, told = (json.loads((place / "manifest.json").read_text()) for place in (folder, tmp_path / "other"))
    assert [known[part] for part in ("forecast", "policy", "probe")] == [
        told[part] for part in ("forecast", "policy", "probe")
    ]
    assert known["report"]["forecast"] != told["report"]["forecast"]


def test_train_when_done_then_the_pair_is_valid_and_acts_as_stable_baselines3(folder: Path):
    manifest = asyncio.run(validate_files(folder, read_given(folder)))
    assert (manifest.inferred, manifest.market.symbol) == ([], "SIMUSDT")
    instance = Instance.load(folder, manifest)
    proof = instance.check_probe()
    assert proof is not None
    assert proof.passed
    assert max(proof.forecast_error, proof.action_error) < 1e-6
    model = PPO.load(folder / "ppo_policy.zip", device="cpu")
    seen = np.random.default_rng(1).normal(0, 2, (50, 72)).astype(np.float32)
    for observation in seen:
        expected, _ = model.predict(observation, deterministic=True)
        assert np.allclose(instance.policy.act(observation).values, expected, atol=1e-6)
    assert manifest.probe is not None
    asked = probe_candles(manifest.probe, 900)
    assert len(asked) == 1500
    assert instance.answer(asked, EMPTY_ACCOUNT).lookback_rows_used == 828


def test_train_when_done_then_the_report_tells_the_parts_and_its_rivals(folder: Path):
    report = Manifest.model_validate_json((folder / "manifest.json").read_bytes()).report
    parts = split(ENOUGH, RECIPE)
    assert [report[name]["candles"] for name in ("fit", "learn", "test")] == [
        len(part) for part in (parts.fit, parts.learn, parts.test)
    ]
    assert report["forecast"]["windows"] == len(parts.test) - 192
    assert [one["step"] for one in report["forecast"]["by_step"]] == [4, 16, 48, 96, 192]
    assert report["trading"]["candles"] == len(parts.test)
    close = history().candles.close[parts.test.start :]
    kept = 10_000 / 1.001 * close[-1] / close[0]
    assert report["trading"]["buy_and_hold"]["final_equity"] == pytest.approx(kept, rel=1e-4)
    # What cannot be known is not made up: hardly worse than the quantiles of the past.
    assert report["forecast"]["overall"]["pinball"] < 1.1 * report["forecast"]["overall"]["pinball_naive"]
    beaten = report["forecast"]["overall"]["pinball"] < report["forecast"]["overall"]["pinball_naive"]
    assert ("beats the naive" if beaten else "does not beat the naive") in report["verdict"][0]


def write(target: Path, text: str, *, force: bool = False, fails: bool = False) -> None:
    with written(target, force=force) as fresh:
        (fresh / "manifest.json").write_text(text)
        if fails:
            fresh.write_text("a folder is no file")


def test_written_when_it_fails_or_the_place_is_taken_then_what_was_there_stays(folder: Path, tmp_path: Path):
    target = tmp_path / "place"
    with pytest.raises(IsADirectoryError):
        write(target, "half", fails=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Invalid, match="holds a package already"), written(folder, force=False):
        pass
    target.mkdir()
    (target / "letters.txt").write_text("mine")
    with pytest.raises(Invalid, match=r"letters\.txt, which is of no package"), written(target, force=True):
        pass
    (target / "letters.txt").rename(target / "manifest.json")
    write(target, "new", force=True)
    assert (target / "manifest.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
