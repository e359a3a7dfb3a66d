from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pumpcast.market import bonding_curve
from pumpcast.market.recorder import Flaws
from pumpcast.market.simulate import live, simulate_history
from shared.coin_metrics.columns import BASE_FEATURES, COLUMNS, PRICE_COLUMNS
from shared.coin_metrics.rows import CoinRows
from shared.errors import Invalid
from shared.features import FeatureSpec, build
from shared.labels import TimeTarget, label

START = datetime(2026, 3, 1, tzinfo=UTC)
FLAWLESS = Flaws(phase_missing=0, price_missing=0, price_zero=0, volume_missing=0, repeated=0, late=0)


@pytest.fixture(scope="module")
def history() -> pa.Table:
    return simulate_history(seed=11, start=START, minutes=480, coins_per_minute=3)


@pytest.fixture(scope="module")
def clean() -> pa.Table:
    return simulate_history(seed=11, start=START, minutes=180, coins_per_minute=3, flaws=FLAWLESS)


def test_history_when_asked_twice_with_one_seed_then_is_the_same():
    first, again, other = (simulate_history(seed=seed, start=START, minutes=20) for seed in (5, 5, 6))
    assert first.equals(again)
    assert not first.equals(other)


def test_history_then_has_the_columns_of_coin_metrics_and_ids_in_insert_order(history: pa.Table):
    assert history.column_names == [column.name for column in COLUMNS]
    assert history["id"].to_pylist() == list(range(1, history.num_rows + 1))
    assert history["timestamp"].type == pa.timestamp("us", "UTC")
    assert pc.min(history["timestamp"]).as_py() >= START
    assert pc.max(history["timestamp"]).as_py() <= START + timedelta(minutes=480)


def test_history_then_shows_every_flaw_of_real_recordings(history: pa.Table):
    missing = {name: history[name].null_count / history.num_rows for name in history.column_names}
    assert missing["mint"] == missing["timestamp"] == 0
    assert 0.02 < missing["phase_id_at_time"] < 0.08
    assert missing["unique_wallets"] > 0.7
    assert missing["is_koth"] > 0.7
    assert 0 < missing["price_close"] < 0.01
    assert 0 < missing["volume_sol"] < 0.01
    assert pc.sum(pc.equal(history["price_close"], 0)).as_py() > 0
    pairs = history.group_by(["mint", "timestamp"]).aggregate([([], "count_all")])
    assert pairs.num_rows < history.num_rows
    times = history["timestamp"].cast(pa.int64()).to_numpy()
    assert (np.diff(times) < 0).any()
    assert (np.diff(times) == 0).mean() > 0.8


def test_history_when_it_lasts_eight_hours_then_recording_fails_for_an_hour(history: pa.Table):
    times = np.unique(history["timestamp"].cast(pa.int64()).to_numpy())
    holes = np.diff(times) // 60_000_000
    assert 59 <= holes.max() <= 61
    assert (holes > 2).sum() == 1


def test_history_then_coins_are_born_graduate_finish_and_fall_silent(history: pa.Table):
    phases = set(history["phase_id_at_time"].to_pylist())
    assert phases == {None, 1, 2, 3, 99, 100}
    graduated = history.filter(pc.equal(history["phase_id_at_time"], 100))
    assert set(graduated["bonding_curve_pct"].to_pylist()) == {100.0}
    last_seen = history.group_by("mint").aggregate([("timestamp", "max")])["timestamp_max"]
    quiet_since = pc.less(last_seen, pa.scalar(START + timedelta(minutes=400)))
    assert pc.sum(quiet_since).as_py() > 500


def test_history_when_a_coin_graduated_then_has_no_later_row(clean: pa.Table):
    ended = clean.filter(pc.greater_equal(clean["phase_id_at_time"], 99))
    assert ended.num_rows > 0
    last_seen = dict(zip(*_columns(clean.group_by("mint").aggregate([("timestamp", "max")])), strict=True))
    assert all(last_seen[mint] == at for mint, at in zip(*_columns(ended.select(["mint", "timestamp"])), strict=True))


def test_history_without_flaws_then_every_row_obeys_the_curve(clean: pa.Table):
    values = {name: clean[name].to_numpy() for name in clean.column_names if name not in {"mint", "timestamp"}}
    np.testing.assert_allclose(values["price_close"], bonding_curve.price(values["virtual_sol_reserves"]))
    np.testing.assert_allclose(values["volume_sol"], values["buy_volume_sol"] + values["sell_volume_sol"])
    for name in ("price_open", "price_close"):
        assert (values["price_low"] <= values[name]).all()
        assert (values[name] <= values["price_high"]).all()
    assert (values["num_buys"] + values["num_sells"] > 0).all()
    assert (values["virtual_sol_reserves"] >= 30 * (1 - 1e-9)).all()
    assert ((values["bonding_curve_pct"] >= 0) & (values["bonding_curve_pct"] <= 100)).all()


def test_history_without_flaws_then_volumes_explain_the_reserves(clean: pa.Table):
    rows = clean.filter(pc.equal(clean["mint"], clean["mint"][clean.num_rows // 2]))
    reserves = rows["virtual_sol_reserves"].to_numpy()
    flow = rows["buy_volume_sol"].to_numpy() - rows["sell_volume_sol"].to_numpy()
    np.testing.assert_allclose(np.diff(reserves), flow[1:], atol=1e-9)


@pytest.mark.parametrize(("phase", "seconds"), [(1, 5), (2, 30), (3, 60)])
def test_history_then_rows_of_a_phase_stand_on_its_interval(clean: pa.Table, phase: int, seconds: int):
    rows = clean.filter(pc.equal(clean["phase_id_at_time"], phase))
    assert rows.num_rows > 100
    times = rows["timestamp"].cast(pa.int64()).to_numpy() // 1_000_000
    assert (times % seconds == 0).all()


def test_history_when_nothing_is_recorded_twice_then_timestamps_of_a_coin_are_unique(clean: pa.Table):
    assert clean.group_by(["mint", "timestamp"]).aggregate([]).num_rows == clean.num_rows


def test_live_when_started_like_a_history_then_sends_the_same_rows():
    ticks = list(islice(live(seed=3, start=START, coins_per_minute=4), 240))
    moments = [moment for moment, _ in ticks]
    assert moments == [START + timedelta(seconds=5 * tick) for tick in range(1, 241)]
    sent = pa.concat_tables([batch for _, batch in ticks])
    assert sent.equals(simulate_history(seed=3, start=START, minutes=20, coins_per_minute=4))


def test_live_then_no_row_is_ahead_of_its_tick_nor_much_behind():
    for moment, batch in islice(live(seed=9, start=START, coins_per_minute=6), 400):
        late = [moment - at for at in batch["timestamp"].to_pylist()]
        assert all(timedelta(0) <= gap <= timedelta(seconds=30) for gap in late)


def test_history_when_a_model_looks_at_it_then_the_future_is_partly_foretold():
    """A plain ranking by recent demand must beat chance clearly and stay far from certainty."""
    rows = CoinRows.from_arrow(simulate_history(seed=21, start=START, minutes=300)).deduplicated()
    target = TimeTarget(target_var="price_close", future_minutes=10, min_percent_change=30, label_resolution="observed")
    spec, _ = FeatureSpec.resolve(BASE_FEATURES, use_engineered=True, windows=(15,), target=target)
    clock = int(rows.timestamp.max())
    answers = label(rows, target, clock=clock, untracked_phases=frozenset({99, 100})).values
    features = build(rows, spec)
    known = np.isfinite(answers)
    base_rate = answers[known].mean()
    assert 0.05 <= base_rate <= 0.25
    demand = features[:, spec.names.index("num_buys")] + 0.1 * features[:, spec.names.index("order_book_imbalance_15")]
    ranks = demand[known].argsort().argsort()
    ones = answers[known] == 1
    auc = (ranks[ones].mean() - ranks[~ones].mean()) / len(ranks) + 0.5
    assert 0.55 < auc < 0.9


@pytest.mark.parametrize(
    "wrong",
    [{"minutes": 0}, {"coins_per_minute": 0.0}, {"coins_per_minute": np.nan}, {"start": START.replace(tzinfo=None)}],
)
def test_history_when_asked_for_the_impossible_then_says_so(wrong: dict[str, object]):
    with pytest.raises(Invalid):
        simulate_history(**{"seed": 1, "start": START, "minutes": 10, **wrong})


def test_history_when_hardly_any_coin_is_born_then_is_short_not_broken():
    table = simulate_history(seed=1, start=START, minutes=5, coins_per_minute=0.001)
    assert table.num_rows == 0
    assert set(PRICE_COLUMNS) <= set(table.column_names)


def _columns(table: pa.Table) -> Iterator[list[object]]:
    return (table[name].to_pylist() for name in ("mint", table.column_names[-1]))
