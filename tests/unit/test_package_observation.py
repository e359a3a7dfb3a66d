"""Scaled channels, blocks of the observation, signals: against plain formulations and the libraries trainers use."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prediction_service.runtime.packages.account import EMPTY_ACCOUNT, account_features, account_state
from prediction_service.runtime.packages.channels import (
    check_channels,
    fit_scales,
    forecast_curves,
    forecaster_input,
    scaled_channels,
)
from prediction_service.runtime.packages.core import CORE_NAMES
from prediction_service.runtime.packages.decoder import decode
from prediction_service.runtime.packages.forecast_features import FORECAST_NAMES, forecast_features
from prediction_service.runtime.packages.observation import build_observation
from prediction_service.runtime.paper import HOUR
from prediction_service.runtime.paper_account import Account, mark_price, take_signal
from shared.contracts.packages import ChoiceDecoder, DirectionDecoder, Forecast, Normalization, Policy
from shared.errors import PackageInvalid

LARGE = st.floats(-1e6, 1e6)


def forecast_of(*channels: dict[str, object], **more: object) -> Forecast:
    given_ = {"context_length": 4, "patch_length": 2, "patch_stride": 1, "n_heads": 1, "prediction_length": 192, **more}
    return Forecast.model_validate({"arch": "patchtst/1", "channels": list(channels), **given_})


def policy_of(blocks: list[str], dimension: int, normalization: Normalization | None = None) -> Policy:
    return Policy.model_validate(
        {"net_arch": [4], "observation": blocks, "obs_dim": dimension, "obs_normalization": normalization,
         "action_space": {"kind": "box", "low": [-1.0], "high": [1.0]}}
    )  # fmt: skip


def core_rows(seed: int = 0, rows: int = 40) -> np.ndarray:
    random = np.random.default_rng(seed)
    core = random.normal(3, 2, (rows, 28))
    core[:3] = np.nan
    return core


def plain_features(curves: list[list[float]]) -> list[float]:
    median = [0.0] + [row[1] for row in curves]
    drawdown = max(max(median[: t + 1]) - median[t] for t in range(193))
    runup = max(median[t] - min(median[: t + 1]) for t in range(193))
    return [
        *itertools.chain.from_iterable(curves[step] for step in (3, 15, 47, 95, 191)),
        *(median[16 * k] for k in range(1, 13)),
        min(median), max(median), median.index(min(median)) / 192, median.index(max(median)) / 192,
        drawdown, runup, median[48] / 48, (median[192] - median[48]) / 144,
    ]  # fmt: skip


@given(seed=st.integers(0, 2**32), size=st.floats(1e-6, 10), ties=st.booleans())
@settings(max_examples=30, deadline=None)
def test_forecast35_when_written_out_in_plain_python_then_the_same(seed: int, size: float, ties: bool) -> None:
    curves = np.cumsum(np.random.default_rng(seed).normal(0, size, (192, 3)), axis=0)
    curves = np.round(curves / size) * size if ties else curves
    features = forecast_features(curves)
    assert len(FORECAST_NAMES) == len(features) == 35
    assert features.tolist() == pytest.approx(plain_features(curves.tolist()), rel=1e-12, abs=1e-15)


def test_forecast35_when_nothing_is_forecast_then_zeros() -> None:
    assert forecast_features(np.zeros((192, 3))).tolist() == [0.0] * 35


def test_forecast35_when_the_forecast_is_too_short_then_it_says_so() -> None:
    with pytest.raises(ValueError, match=r"\(192, 3\), not \(96, 3\)"):
        forecast_features(np.zeros((96, 3)))


def test_scales_when_the_manifest_tells_none_then_those_of_a_standard_scaler() -> None:
    from sklearn.preprocessing import StandardScaler

    core = core_rows()
    core[3:, 4] = 0.3
    core[3:, 10] = 0.1 + np.arange(37) % 2 * 1e-17
    forecast = forecast_of(*({"name": name} for name in CORE_NAMES))
    scales = fit_scales(core, forecast)
    judge = StandardScaler().fit(core[3:])
    assert scales.from_warmup == CORE_NAMES
    assert scales.scale[4] == scales.scale[10] == 1.0
    np.testing.assert_allclose(
        forecaster_input(core, forecast, scales), judge.transform(core[-4:]), rtol=1e-5, atol=1e-12
    )


def test_scales_when_the_manifest_tells_them_then_rows_at_hand_change_nothing() -> None:
    forecast = forecast_of({"name": "rsi_14", "mean": 50.0, "scale": 20.0}, {"name": "ret_1", "transform": "percent"})
    scales = fit_scales(core_rows(), forecast)
    assert scales.from_warmup == ("ret_1",)
    assert (scales.mean[0], scales.scale[0]) == (50.0, 20.0)
    core = np.full((1, 28), 60.0)
    assert scaled_channels(core, forecast, scales)[0, 0] == 0.5


def test_channels_when_transformed_then_percent_and_mirrored_logarithm() -> None:
    forecast = forecast_of({"name": "ret_1", "transform": "percent", "mean": 0.0, "scale": 1.0},
                           {"name": "macd", "transform": "log1p", "mean": 0.0, "scale": 1.0})  # fmt: skip
    core = np.zeros((2, 28))
    core[:, 0] = [0.02, -0.01]
    core[:, CORE_NAMES.index("macd")] = [7.5, -7.5]
    scaled = scaled_channels(core, forecast, fit_scales(core, forecast))
    assert scaled.ravel().tolist() == pytest.approx([2.0, math.log(8.5), -1.0, -math.log(8.5)])


def test_channels_when_they_are_no_columns_then_refused_by_name() -> None:
    with pytest.raises(PackageInvalid, match=r"forecast.channels\[1\] is 'rsi', which is no column of core28"):
        check_channels(forecast_of({"name": "rsi_14"}, {"name": "rsi"}))
    output = {"kind": "step_log_return", "channel": "ret_4"}
    with pytest.raises(PackageInvalid, match="'ret_4': prices are summed from ret_1 only"):
        check_channels(forecast_of({"name": "ret_4"}, output=output))


def test_forecaster_input_when_rows_are_too_few_then_it_says_how_many() -> None:
    forecast = forecast_of({"name": "ret_1"}, context_length=38)
    scales = fit_scales(core_rows(), forecast)
    with pytest.raises(ValueError, match="37 of the newest 38 rows are valid"):
        forecaster_input(core_rows(), forecast, scales)
    with pytest.raises(ValueError, match="no valid row"):
        fit_scales(np.full((5, 28), np.nan), forecast)


@pytest.mark.parametrize("transform", ["none", "percent", "log1p"])
def test_curves_when_steps_are_forecast_then_they_lead_to_the_price(transform: str) -> None:
    prices = 3e-8 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, 193)))
    core = np.zeros((192, 28))
    core[:, 0] = np.diff(np.log(prices))
    forecast = forecast_of({"name": "rsi_14"}, {"name": "ret_1", "transform": transform}, quantiles=[0.1, 0.5, 0.9],
                           output={"kind": "step_log_return", "channel": "ret_1"})  # fmt: skip
    scales = fit_scales(core, forecast)
    steps = scaled_channels(core, forecast, scales)[:, [1, 1, 1]]
    curves = forecast_curves(steps, forecast, scales)
    assert curves[-1].tolist() == pytest.approx([math.log(prices[-1] / prices[0])] * 3)
    np.testing.assert_allclose(curves[:, 1], np.log(prices[1:] / prices[0]), atol=1e-12)


def test_curves_when_quantiles_are_many_or_one_then_lowest_median_highest() -> None:
    many = forecast_of({"name": "ret_1"}, quantiles=[0.05, 0.2, 0.5, 0.9], prediction_length=1, context_length=2)
    one = forecast_of({"name": "ret_1"}, quantiles=[0.5], prediction_length=1, context_length=2)
    scales = fit_scales(core_rows(), many)
    assert forecast_curves(np.array([[1.0, 2.0, 3.0, 4.0]]), many, scales).tolist() == [[1.0, 3.0, 4.0]]
    assert forecast_curves(np.array([[7.0]]), one, scales).tolist() == [[7.0, 7.0, 7.0]]
    with pytest.raises(ValueError, match=r"shape \(1, 3\) where \(1, 4\) was due"):
        forecast_curves(np.zeros((1, 3)), many, scales)


def test_observation_when_built_then_blocks_in_the_order_of_the_policy() -> None:
    forecast = forecast_of({"name": "dow_cos", "mean": 1.0, "scale": 4.0}, {"name": "ret_1", "mean": 0.0, "scale": 0.5})
    curves = np.cumsum(np.full((192, 3), 0.01), axis=0)
    core = np.arange(28.0)
    scales = fit_scales(core[None], forecast)
    expected = core.copy()
    expected[[0, 25]] = 0.0, 6.0
    policy = policy_of(["account9", "forecast35", "core28"], 72)
    seen = build_observation(core, curves, EMPTY_ACCOUNT, forecast, policy, scales)
    assert seen.dtype == np.float32
    np.testing.assert_array_equal(seen[:9], EMPTY_ACCOUNT.astype(np.float32))
    np.testing.assert_array_equal(seen[9:44], forecast_features(curves).astype(np.float32))
    np.testing.assert_array_equal(seen[44:], expected.astype(np.float32))
    assert core.tolist() == list(range(28))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_observation_when_normalised_then_as_vecnormalize_does() -> None:
    import gymnasium
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    class Still(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (37,), np.float32)
        action_space = gymnasium.spaces.Discrete(2)

    random = np.random.default_rng(3)
    judge = VecNormalize(DummyVecEnv([Still]), clip_obs=2.5, epsilon=1e-4)
    judge.obs_rms.mean, judge.obs_rms.var = random.normal(0, 3, 37), random.random(37) * 9
    how = Normalization(mean=judge.obs_rms.mean.tolist(), var=judge.obs_rms.var.tolist(), epsilon=1e-4, clip=2.5)
    forecast, core = forecast_of({"name": "ret_1", "mean": 0.0, "scale": 1.0}), random.normal(0, 5, 28)
    scales = fit_scales(core[None], forecast)
    inputs = (core, np.zeros((192, 3)), EMPTY_ACCOUNT, forecast)
    raw = build_observation(*inputs, policy_of(["core28", "account9"], 37), scales)
    seen = build_observation(*inputs, policy_of(["core28", "account9"], 37, how), scales)
    np.testing.assert_array_equal(seen, judge.normalize_obs(raw))
    assert np.abs(seen).max() == 2.5


def test_account_when_empty_then_the_block_every_trainer_starts_with() -> None:
    assert EMPTY_ACCOUNT.tolist() == [0, 0, 0, 0, 0, 0, 192, 1.0, 0.1]
    assert account_features(account_state(Account(), at=123)).tolist() == EMPTY_ACCOUNT.tolist()


def test_account_when_two_positions_are_open_then_shares_of_equity_and_steps_of_a_quarter_hour() -> None:
    first = take_signal(Account(), symbol="X", signal="LONG", confidence=99, price=100.0, at=0).account
    second = take_signal(first, symbol="Y", signal="SHORT", confidence=99, price=5.0, at=HOUR).account
    marked = mark_price(second, symbol="X", price=99.8, at=2 * HOUR).account
    block = account_features(account_state(marked, at=2 * HOUR))
    sizes, equity = marked.positions[0].size_usdt + marked.positions[1].size_usdt, marked.equity
    assert [round(position.size_usdt, 4) for position in marked.positions] == [200.0, 199.996]
    expected = [2, 1, sizes / 7 / equity, sizes / equity, -0.4 / equity, 8, 184, 1 - 0.002 * 7, 0.1 - sizes / equity]
    assert block.tolist() == pytest.approx(expected)


@given(st.lists(st.tuples(st.sampled_from(["LONG", "SHORT", "FLAT"]), st.floats(0.5, 2)), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_account_when_anything_happens_then_the_block_stays_in_its_ranges(told: list[tuple[str, float]]) -> None:
    account = Account()
    for step, (signal, price) in enumerate(told):
        at = step * HOUR
        account = take_signal(account, symbol="X", signal=signal, confidence=99, price=price, at=at).account
        block = account_features(account_state(account, at=at))
        count, side, exposure, notional, _, age, left, buffer, available = block.tolist()
        assert np.isfinite(block).all()
        assert count == len(account.positions)
        assert (side == 0) == (count == 0)
        assert side in (0, 1, 2)
        assert 0 <= exposure <= notional
        assert age + left == 192
        assert 0 <= buffer <= 1
        assert 0 <= available <= 0.1
        assert notional + available >= 0.1 - 1e-9


@given(st.floats(-3, 3), st.floats(0.01, 0.99))
def test_direction_when_decoded_then_by_the_rule_in_plain_words(direction: float, threshold: float) -> None:
    decision = decode(np.array([9.0, direction]), None, DirectionDecoder(index=1, threshold=threshold))
    if abs(direction) <= threshold:
        assert (decision.signal, decision.confidence, decision.sentiment) == ("FLAT", 0, "neutral")
        return
    rising = direction > 0
    assert decision.signal == ("LONG" if rising else "SHORT")
    assert decision.sentiment == ("bullish" if rising else "bearish")
    assert 50 <= decision.confidence <= 99
    expected = min((abs(direction) - threshold) / (1 - threshold) * 100 + 50, 99)
    assert decision.confidence == pytest.approx(expected)
    opposite = decode(np.array([9.0, -direction]), None, DirectionDecoder(index=1, threshold=threshold))
    assert opposite.confidence == decision.confidence


def test_choice_when_decoded_then_signal_of_the_action_and_its_probability() -> None:
    decoder = ChoiceDecoder(signals=["FLAT", "LONG", "SHORT"])
    decided = [decode(np.array([float(action)]), np.array([0.2, 0.7, 0.1]), decoder) for action in range(3)]
    assert [(one.signal, round(one.confidence, 9)) for one in decided] == [("FLAT", 0), ("LONG", 70), ("SHORT", 10)]
    assert decode(np.array([2.0]), np.array([0.0, 0.0, 1.0]), decoder).confidence == 99


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_action_when_it_is_no_number_then_refused_and_never_flat(broken: float) -> None:
    with pytest.raises(PackageInvalid, match="which is no action"):
        decode(np.array([broken, 0.0]), None, DirectionDecoder())
    with pytest.raises(PackageInvalid, match="no probability"):
        decode(np.array([1.0]), np.array([0.5, broken]), ChoiceDecoder(signals=["FLAT", "LONG"]))
