"""The block core28: its formulas written anew in plain Python, and what must hold of it for any candles."""

import math
import statistics
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.core import (
    CORE_NAMES,
    FIRST_VALID,
    RECURSIVE_NAMES,
    CoreWindows,
    core_features,
)

START = datetime(2024, 3, 8, 22, 30, tzinfo=UTC)
IN_PRICES = ("atr_14", "macd", "macd_signal", "macd_hist")
WINDOWED = [place for place, name in enumerate(CORE_NAMES) if name not in RECURSIVE_NAMES]


def walk(count: int, *, seed: int, price: float = 100.0, wildness: float = 0.003, seconds: int = 900) -> Candles:
    random = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(random.normal(0, wildness, count)))
    opened = np.concatenate(([price], close[:-1]))
    reach = np.exp(np.abs(random.normal(0, wildness, (2, count))))
    first = int(START.timestamp()) * 1_000_000
    return Candles(
        open_time=first + np.arange(count) * seconds * 1_000_000,
        open=opened,
        high=np.maximum(opened, close) * reach[0],
        low=np.minimum(opened, close) / reach[1],
        close=close,
        volume=random.lognormal(3, 1, count) * (random.random(count) < 0.9),
        interval_seconds=seconds,
    )


def flat(price: float, *, volume: float = 0.0, count: int = 800) -> Candles:
    same = np.full(count, price)
    times = np.arange(count) * 900_000_000
    return Candles(open_time=times, open=same, high=same, low=same, close=same, volume=np.full(count, volume),
                   interval_seconds=900)  # fmt: skip


def smoothed(values: list[float], length: int, weight: float) -> list[float]:
    """An average with the mean of the first values as its start, one value for each of the rest."""
    result = [statistics.fmean(values[:length])]
    for value in values[length:]:
        result.append(result[-1] + weight * (value - result[-1]))
    return result


def ema(values: list[float], length: int) -> list[float]:
    return smoothed(values, length, 2 / (length + 1))


def wilder(values: list[float]) -> list[float]:
    return smoothed(values, 14, 1 / 14)


def by_hand(candles: Candles) -> dict[str, float]:
    """The last row from the definitions."""
    high, low, close = candles.high.tolist(), candles.low.tolist(), candles.close.tolist()
    steps = list(pairwise(close))
    returns = [math.log(after / before) for before, after in steps]
    gains = wilder([max(after - before, 0.0) for before, after in steps])[-1]
    losses = wilder([max(before - after, 0.0) for before, after in steps])[-1]
    ranges = [max(h, before) - min(lo, before) for h, lo, before in zip(high[1:], low[1:], close[:-1], strict=True)]
    ups = [after - before for before, after in pairwise(high)]
    downs = [before - after for before, after in pairwise(low)]
    plus = wilder([up if up > max(down, 0) else 0.0 for up, down in zip(ups, downs, strict=True)])
    minus = wilder([down if down > max(up, 0) else 0.0 for up, down in zip(ups, downs, strict=True)])
    directed = [100 * abs(p - m) / (p + m) for p, m in zip(plus, minus, strict=True)]
    emas = {length: ema(close, length) for length in (20, 50, 200)}
    macd = [fast - slow for fast, slow in zip(ema(close, 12)[14:], ema(close, 26), strict=True)]
    logs = [math.log1p(value) for value in candles.volume[-96:]]
    at = datetime.fromtimestamp(int(candles.open_time[-1]) / 1e6, UTC)
    return {
        **{f"ret_{k}": math.log(close[-1] / close[-1 - k]) for k in (1, 4, 16, 48)},
        "hl_range_pct": (high[-1] - low[-1]) / close[-1],
        "oc_range_pct": close[-1] / float(candles.open[-1]) - 1,
        **{f"vol_{k}": statistics.pstdev(returns[-k:]) for k in (16, 96, 672)},
        "atr_14": wilder(ranges)[-1],
        **{f"ema_{k}_dist": close[-1] / emas[k][-1] - 1 for k in emas},
        **{f"ema_{k}_slope": emas[k][-1] / emas[k][-2] - 1 for k in (20, 50)},
        "adx_14": wilder(directed)[-1],
        "rsi_14": 100 * gains / (gains + losses),
        "macd": macd[-1],
        "macd_signal": ema(macd, 9)[-1],
        "macd_hist": macd[-1] - ema(macd, 9)[-1],
        "vol_log": logs[-1],
        "vol_z_96": (logs[-1] - statistics.fmean(logs)) / statistics.pstdev(logs),
        "hour_sin": math.sin(math.tau * at.hour / 24),
        "hour_cos": math.cos(math.tau * at.hour / 24),
        "dow_sin": math.sin(math.tau * at.weekday() / 7),
        "dow_cos": math.cos(math.tau * at.weekday() / 7),
        "funding_rate_now": 0.0,
        "time_to_next_funding_steps": -(at.hour * 60 + at.minute) % 480 / 15,
    }


@pytest.mark.parametrize(("count", "price"), [(673, 3e-8), (730, 1e5), (1500, 1.0)])
def test_core_when_written_out_in_plain_python_then_the_same(count: int, price: float) -> None:
    candles = walk(count, seed=count, price=price)
    expected = by_hand(candles)
    assert list(expected) == list(CORE_NAMES)
    given_ = dict(zip(CORE_NAMES, core_features(candles)[-1].tolist(), strict=True))
    assert given_ == pytest.approx(expected, rel=1e-7, abs=1e-12 * min(price, 1.0))


def test_core_when_1500_candles_are_given_then_828_rows_are_valid() -> None:
    core = core_features(walk(1500, seed=1))
    assert core.shape == (1500, 28)
    assert np.isnan(core[:FIRST_VALID]).all()
    assert np.isfinite(core[FIRST_VALID:]).all()
    assert len(core[FIRST_VALID:]) == 828


@pytest.mark.parametrize("count", [0, 1, 672])
def test_core_when_candles_are_too_few_then_no_row_is_valid(count: int) -> None:
    core = core_features(walk(count, seed=1))
    assert core.shape == (count, 28)
    assert np.isnan(core).all()


@given(seed=st.integers(0, 2**32), cut=st.integers(673, 799))
@settings(max_examples=20, deadline=None)
def test_core_when_later_candles_are_cut_off_then_the_same_bits(seed: int, cut: int) -> None:
    candles = walk(800, seed=seed)
    assert core_features(candles.part(0, cut)).tobytes() == core_features(candles)[:cut].tobytes()


@pytest.mark.parametrize("newest", [0, 1, 2, 257, 827, 828, 1500])
def test_core_when_only_the_newest_rows_are_wanted_then_the_same_bits(newest: int) -> None:
    candles = walk(1500, seed=6)
    expected = core_features(candles)
    expected[: len(expected) - newest] = np.nan
    assert core_features(candles, newest=newest).tobytes() == expected.tobytes()


@given(seed=st.integers(0, 2**32), start=st.integers(1, 400))
@settings(max_examples=20, deadline=None)
def test_core_when_older_candles_are_cut_off_then_windows_keep_their_bits_and_averages_forget(
    seed: int, start: int
) -> None:
    candles = walk(1900, seed=seed)
    whole, part = core_features(candles)[start + FIRST_VALID :], core_features(candles.part(start, 1900))[FIRST_VALID:]
    assert part[:, WINDOWED].tobytes() == whole[:, WINDOWED].tobytes()
    assert part[-1].tolist() == pytest.approx(whole[-1].tolist(), rel=1e-3, abs=1e-6)


def test_core_windows_when_they_slide_then_to_the_bit_what_each_window_gives() -> None:
    candles = walk(1900, seed=9)
    windows = CoreWindows(candles, 1500)
    for end in (1500, 1501, 1618, 1777, 1900):
        assert windows.ending(end).tobytes() == core_features(candles.part(end - 1500, end)).tobytes()


@given(seed=st.integers(0, 2**32), factor=st.sampled_from([3e-8, 0.37, 1e5]))
@settings(max_examples=20, deadline=None)
def test_core_when_prices_are_in_another_currency_then_only_columns_in_prices_follow(seed: int, factor: float) -> None:
    candles = walk(720, seed=seed)
    prices = {name: getattr(candles, name) * factor for name in ("open", "high", "low", "close")}
    other = Candles(open_time=candles.open_time, **prices, volume=candles.volume, interval_seconds=900)
    expected = core_features(candles)
    expected[:, [CORE_NAMES.index(name) for name in IN_PRICES]] *= factor
    np.testing.assert_allclose(core_features(other), expected, rtol=1e-6, atol=1e-13 * min(factor, 1) * 100)


@pytest.mark.parametrize("price", [3e-8, 1.0, 0.1, 1e5])
@pytest.mark.parametrize("volume", [0.0, 12.3])
def test_core_when_nothing_ever_moves_then_neutral_numbers(price: float, volume: float) -> None:
    last = dict(zip(CORE_NAMES, core_features(flat(price, volume=volume))[-1].tolist(), strict=True))
    still = ("ret_1", "ret_48", "hl_range_pct", "oc_range_pct", "vol_16", "vol_672", "atr_14", "adx_14", "vol_z_96")
    assert [last[name] for name in still] == [0.0] * len(still)
    assert last["rsi_14"] == 50.0
    assert last["vol_log"] == pytest.approx(math.log1p(volume))
    assert all(abs(last[name]) < 1e-12 * max(price, 1) for name in CORE_NAMES if name.startswith(("ema", "macd")))


def test_core_when_a_market_falls_asleep_then_finite_to_the_end() -> None:
    awake, asleep = walk(700, seed=4, price=3e-8), flat(3e-8, count=15_000)
    joined = {name: np.concatenate((getattr(awake, name), getattr(asleep, name)))
              for name in ("open", "high", "low", "close", "volume")}  # fmt: skip
    candles = Candles(open_time=np.arange(15_700) * 900_000_000, **joined, interval_seconds=900)
    assert np.isfinite(core_features(candles)[FIRST_VALID:]).all()


@pytest.mark.parametrize(
    ("opened", "seconds", "steps"),
    [("07:45", 900, 1), ("08:00", 900, 0), ("08:15", 900, 31), ("01:00", 3600, 7), ("07:00", 60, 32), ("07:59", 60, 1)],
)
def test_core_when_a_candle_opens_then_its_clock_columns_are_those_of_utc(
    opened: str, seconds: int, steps: int
) -> None:
    saturday = datetime.fromisoformat(f"2024-01-06T{opened}:00+00:00")
    candles = walk(673, seed=0, seconds=seconds)
    times = int(saturday.timestamp()) * 1_000_000 + np.arange(-672, 1) * seconds * 1_000_000
    moved = Candles(open_time=times, open=candles.open, high=candles.high, low=candles.low, close=candles.close,
                    volume=candles.volume, interval_seconds=seconds)  # fmt: skip
    last = dict(zip(CORE_NAMES, core_features(moved)[-1].tolist(), strict=True))
    assert last["time_to_next_funding_steps"] == steps
    assert (last["hour_sin"], last["hour_cos"]) == pytest.approx((math.sin(math.tau * saturday.hour / 24),
                                                                  math.cos(math.tau * saturday.hour / 24)))  # fmt: skip
    assert (last["dow_sin"], last["dow_cos"]) == pytest.approx((math.sin(math.tau * 5 / 7), math.cos(math.tau * 5 / 7)))
