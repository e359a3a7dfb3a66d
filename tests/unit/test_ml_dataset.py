"""Which rows and features a model learns from."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coin_metrics.rows import CoinRows
from shared.errors import JobFailed
from shared.features import FeatureSpec, build
from shared.labels import RuleTarget, TimeTarget
from tests.support.market_rows import MINUTE, START, one_coin
from training_service.ml.dataset import make_dataset
from training_service.ml.in_place import divide_in_place

UP = TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=10)
SPEC = FeatureSpec(("volume_sol", "price_change_3"))


def coin(minutes=30, **columns):
    """One coin, a row a minute; its price jumps by a half every seventh minute."""
    price = 3e-8 * 1.5 ** (np.arange(minutes) // 7)
    plain = {"price_close": price, "volume_sol": np.arange(minutes) + 1.0}
    return one_coin([START + minute * MINUTE for minute in range(minutes)], **{**plain, **columns})


def dataset(rows, *, target=UP, spec=SPEC, phases=None, in_window=None, clock=None):
    return make_dataset(
        rows,
        np.ones(len(rows), np.bool_) if in_window is None else in_window,
        spec=spec,
        target=target,
        phases=phases,
        clock_us=int(rows.timestamp.max()) if clock is None else clock,
        last_seen=np.full(len(rows.mints), rows.timestamp.max()),
        untracked_phases=frozenset({99, 100}),
    )


def test_rows_whose_horizon_the_clock_has_not_reached_are_left_out_and_counted():
    data = dataset(coin())

    assert len(data) == 25
    assert data.readings.unresolved == {"clock": 5}
    assert data.timestamp.max() + 5 * MINUTE == START + 29 * MINUTE


def test_rows_without_an_answer_are_kept_apart_with_their_features_and_what_is_known_of_them():
    rows = coin()
    silent = replace(UP, label_resolution="observed")
    data = make_dataset(
        rows, np.ones(30, np.bool_), spec=SPEC, target=silent, phases=None, clock_us=START + 32 * MINUTE,
        last_seen=np.array([START + 29 * MINUTE]), untracked_phases=frozenset(),
    )  # fmt: skip

    others = data.unanswered
    assert (len(data), len(others)) == (25, 5)
    assert others.timestamp.tolist() == rows.timestamp[25:].tolist()
    np.testing.assert_array_equal(others.features, build(rows, SPEC)[25:])
    # Minutes 25 to 27 end before the clock: a price jumps at 28; 28 and 29 are not due yet.
    np.testing.assert_array_equal(others.change_pct, [50, 50, 50, np.nan, np.nan])
    assert data.observed.all()


@given(st.lists(st.sampled_from("kou"), min_size=1, max_size=40))
def test_rows_divided_in_place_are_those_that_were_chosen(choices):
    features = np.random.default_rng(1).random((len(choices), 2), dtype=np.float32)
    kept, others = (np.flatnonzero(np.array(choices) == choice) for choice in "ko")
    expected = features[kept], features[others]

    found = divide_in_place(features, kept, others)

    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_rows_outside_the_window_give_history_and_labels_but_are_not_learnt():
    rows = coin()
    inside = np.zeros(30, np.bool_)
    inside[10:20] = True

    data = dataset(rows, in_window=inside)

    assert data.timestamp.tolist() == rows.timestamp[10:20].tolist()
    np.testing.assert_array_equal(data.features, build(rows, SPEC)[10:20])
    assert not np.isnan(data.change_pct).any()


def test_a_phase_filter_chooses_rows_and_shortens_no_history():
    rows = coin()
    mixed = CoinRows(
        mints=rows.mints, coin=rows.coin, timestamp=rows.timestamp, id=rows.id,
        phase=np.arange(30) % 2 + 1, values=rows.values,
    )  # fmt: skip

    data = dataset(mixed, phases=(2,))

    assert (mixed.phase[data.position] == 2).all()
    np.testing.assert_array_equal(data.features, build(rows, SPEC)[data.position])


def test_a_phase_that_no_row_has_fails_the_job():
    with pytest.raises(JobFailed, match=r"none of the 30 rows of the window lies in phases \[7, 8\]"):
        dataset(coin(), phases=(7, 8))


def test_a_feature_without_any_value_leaves_with_a_notice():
    data = dataset(coin(), spec=FeatureSpec(("unique_wallets", "volume_sol", "price_change_3")))

    assert data.spec.names == ("volume_sol", "price_change_3")
    assert data.features.shape == (25, 2)
    assert [notice.code for notice in data.notices] == ["all_null_feature"]
    assert "unique_wallets" in data.notices[0].message


def test_features_without_any_value_at_all_fail_the_job():
    with pytest.raises(JobFailed, match="every feature is missing in every row"):
        dataset(coin(), spec=FeatureSpec(("unique_wallets", "is_koth")))


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (
            TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=60),
            r"all 25 rows have the same answer \(base rate 0%\); the nearest min_percent_change that gives both is 50",
        ),
        (
            RuleTarget(target_var="volume_sol", operator=">", target_value=0),
            r"all 30 rows have the same answer \(base rate 100%\); the nearest target_value that gives both is 1",
        ),
    ],
)
def test_one_answer_only_fails_the_job_with_the_nearest_threshold_that_gives_both(target, told):
    with pytest.raises(JobFailed, match=told):
        dataset(coin(), target=target)


def test_one_answer_only_when_nothing_changes_says_that_no_threshold_helps():
    with pytest.raises(JobFailed, match="no min_percent_change would give both"):
        dataset(coin(price_close=np.full(30, 3e-8)))


def test_no_known_answer_fails_the_job_with_the_reasons():
    with pytest.raises(JobFailed, match="none of the 30 rows of the window has a known answer: 30 clock"):
        dataset(coin(), clock=START)


def test_answers_that_rest_on_silence_give_a_notice_when_they_change_the_base_rate():
    # Ten coins are seen for two minutes only; two are followed and rise.
    followed = [(coin_code, minute) for coin_code in (0, 1) for minute in range(30)]
    silent = [(coin_code, minute) for coin_code in range(2, 12) for minute in range(6)]
    codes, minutes = (np.array(part) for part in zip(*(followed + silent), strict=True))
    price = np.where(codes < 2, 3e-8 * 1.5 ** (minutes // 7), 3e-8)
    rows = CoinRows(
        mints=tuple(f"{code:02d}" for code in range(12)), coin=codes, timestamp=START + minutes * MINUTE,
        id=np.arange(len(codes)), phase=np.ones(len(codes), np.int64),
        values={"price_close": price, "volume_sol": codes + 1.0, "bonding_curve_pct": np.full(len(codes), np.nan)},
    )  # fmt: skip

    data = make_dataset(
        rows, np.ones(len(rows), np.bool_), spec=FeatureSpec(("volume_sol",)), target=UP, phases=None,
        clock_us=START + 29 * MINUTE,
        last_seen=np.array([START + (29 if code < 2 else 5) * MINUTE for code in range(12)]),
        untracked_phases=frozenset(),
    )  # fmt: skip

    assert [notice.code for notice in data.notices] == ["tracking_answers"]
    assert data.readings.resolved_without_observation == 50
