"""A test window: what a model may know of it, and where it lies to its training."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shared.coin_metrics.rows import CoinRows
from shared.features import FeatureSpec
from shared.labels import TimeTarget, label
from tests.support.market_rows import MINUTE
from training_service.ml.figures import measure
from training_service.ml.overlap import find_overlap, short_window
from training_service.ml.returns import Costs
from training_service.ml.window import Question, Stretch, answer, narrow, shared_rows

TARGET = TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=5)


def stretch(curve):
    """Give two coins with a row a minute, 0 to 59; the window is 30 to 39."""
    minutes = np.tile(np.arange(60), 2)
    rows = CoinRows(
        mints=("A", "B"),
        coin=np.repeat([0, 1], 60),
        timestamp=minutes * MINUTE,
        id=np.arange(120),
        phase=np.ones(120, np.int64),
        values={"price_close": np.full(120, 3e-8), "bonding_curve_pct": np.asarray(curve, np.float64)},
    )
    return Stretch(
        rows=rows, in_window=(minutes >= 30) & (minutes < 40), position=np.arange(120),
        last_seen=np.full(2, 59 * MINUTE), clock_us=59 * MINUTE, untracked_phases=frozenset({99}),
    )  # fmt: skip


def question(*names):
    return Question(spec=FeatureSpec(names), target=TARGET, phases=None, horizon_us=TARGET.horizon)


def test_narrowing_when_more_was_read_for_another_model_then_only_own_history_and_horizon_are_left():
    kept = narrow(stretch(np.full(120, 10.0)), question("price_change_5"))

    minutes = kept.rows.timestamp // MINUTE
    assert [(minutes[kept.rows.coin == coin].min(), minutes[kept.rows.coin == coin].max()) for coin in (0, 1)] == [
        (25, 44),
        (25, 44),
    ]
    assert kept.position.tolist() == [*range(25, 45), *range(85, 105)]
    assert kept.in_window.sum() == 20


def test_narrowing_when_an_older_row_shows_the_end_of_a_coin_then_answers_are_those_of_the_model_alone():
    curve = np.full(120, 10.0)
    curve[3] = 100.0
    wide = stretch(curve)

    alone = narrow(wide, question("price_change_5"))

    def known(rows):
        labels = label(rows.rows, TARGET, clock=rows.clock_us, untracked_phases=frozenset(), last_seen=rows.last_seen)
        return int(np.count_nonzero(~np.isnan(labels.values[rows.in_window])))

    assert (known(wide), known(alone)) == (10, 20)


def test_narrowing_when_nothing_else_was_read_then_nothing_is_copied():
    wide = stretch(np.full(120, 10.0))
    kept = narrow(wide, question("price_change_30"))
    again = narrow(kept, question("price_change_30"))

    assert again is kept


def day(number, minutes=0):
    return datetime(2026, 3, number, tzinfo=UTC) + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (day(4, 10), day(5), None),
        (day(4, 9), day(5), "shares 1 of its 1431 minutes with training (1 with the answers of the last of them)"),
        (day(4), day(5), "shares 10 of its 1440 minutes with training (10 with the answers of the last of them)"),
        (day(3), day(4), "shares 1440 of its 1440 minutes with training (1440 with its rows)"),
        (day(1), day(5), "shares 2890 of its 5760 minutes with training (2880 with its rows, 10 with the answers"),
        (day(1), day(3), "what lies before it the model knows the sequel of"),
        (day(1), day(1, 60), "ends 1380 minutes before training starts: the model knows what came after"),
    ],
)
def test_overlap_when_training_ran_from_the_second_to_the_fourth_then_the_horizon_counts(start, end, words):
    found = find_overlap(
        train_start=day(2), train_end=day(4), horizon=timedelta(minutes=10), test_start=start, test_end=end
    )

    assert (found is None) if words is None else (words in found)


def test_window_when_it_is_shorter_than_a_day_then_that_is_said():
    assert short_window(day(1), day(2)) is None
    assert "23 hours" in short_window(day(1), day(1, 1380))


class TheLastDigitOfTheMinute:
    """A model of one feature, the volume, that gives a tenth of it."""

    def scores(self, features):
        return np.round(features[:, 0].astype(np.float64) / 10, 6)

    def calibrated(self, scores):
        return scores


def silent_market():
    """Give two coins over 40 minutes of one that is 60 long; B has its last row, at half the price, at minute 33."""
    wide = stretch(np.full(120, 10.0))
    minutes = wide.rows.timestamp // MINUTE
    price = np.where((wide.rows.coin == 1) & (minutes == 33), 1.5e-8, 3e-8)
    values = {**wide.rows.values, "price_close": price, "volume_sol": minutes % 10.0}
    kept = (wide.rows.coin == 0) | (minutes <= 33)
    return replace(
        wide, rows=replace(wide.rows, values=values).take(kept), in_window=wide.in_window[kept],
        position=wide.position[kept], last_seen=np.array([59, 33]) * MINUTE,
    )  # fmt: skip


def reply(**asked):
    plain = Question(
        spec=FeatureSpec(("volume_sol",)), target=replace(TARGET, label_resolution="observed"), phases=None,
        horizon_us=TARGET.horizon,
    )  # fmt: skip
    return answer(silent_market(), replace(plain, **asked), TheLastDigitOfTheMinute())


def test_replies_when_a_coin_falls_silent_then_its_rows_are_scored_with_what_is_known_of_them():
    scored = reply().scored

    # Ten rows of A; four of B, the first four minutes of the window.
    assert scored.coin.tolist() == [0] * 10 + [1] * 4
    assert scored.is_answered.tolist() == [True] * 10 + [False] * 4
    np.testing.assert_array_equal(scored.change_pct[10:], [-50, -50, -50, 0])
    assert scored.probabilities.tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0, 0.1, 0.2, 0.3]
    assert not scored.observed[10:].any()


def test_replies_when_a_test_is_measured_then_silent_alerts_count_and_are_sold():
    scored = reply().scored

    found = measure(
        scored, decision_threshold=0.5, alert_threshold=0.2, target=TARGET, random_state=1,
        costs=Costs(fee_pct=0.0, slippage_pct=0.0, trade_size_sol=1.0),
    )  # fmt: skip

    assert (found.alerts, found.alert.tp + found.alert.fp) == (10, 8)
    assert (found.money.silent_alerts, found.money.alerts_without_outcome) == (2, 0)
    assert found.expected_value_pct == pytest.approx(-5)
    assert found.money.seen_again.mean_pct == pytest.approx(0)


def test_shared_rows_when_one_model_takes_silence_for_an_answer_then_only_rows_both_can_answer_have_one():
    observed, recording = shared_rows([reply(), reply(target=TARGET)])

    assert len(observed) == len(recording) == 14
    for scored in (observed, recording):
        assert scored.is_answered.tolist() == [True] * 10 + [False] * 4
    np.testing.assert_array_equal(observed.change_pct, recording.change_pct)
