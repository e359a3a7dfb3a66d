"""From scores to probabilities and thresholds."""

import numpy as np
import pytest

from shared.artifact import calibrate
from shared.errors import JobFailed
from shared.scoring import brier
from training_service.ml.calibrate import choose_thresholds, fit_calibration


def distorted(count, *, seed=0):
    """Scores whose true probability is their square."""
    random = np.random.default_rng(seed)
    scores = random.random(count)
    return scores, (random.random(count) < scores**2).astype(np.int8)


@pytest.mark.parametrize(("count", "method"), [(600, "sigmoid"), (9000, "isotonic")])
def test_calibration_of_distorted_scores_comes_near_the_truth(count, method):
    scores, answers = distorted(count)
    curve = fit_calibration(scores, answers)
    fresh, truth = distorted(20_000, seed=1)

    probabilities = calibrate(fresh, curve)

    assert curve.method == method
    assert brier(probabilities, truth) < brier(fresh, truth) - 0.02
    assert np.abs(probabilities - fresh**2).mean() < 0.04


@pytest.mark.parametrize("count", [600, 9000])
def test_calibration_never_turns_two_rows_round(count):
    scores, answers = distorted(count)

    probabilities = calibrate(np.linspace(0, 1, 1001), fit_calibration(scores, answers))

    assert (np.diff(probabilities) >= 0).all()


def test_isotonic_calibration_leaves_rows_apart_that_its_steps_would_join():
    scores, answers = distorted(9000)

    probabilities = np.round(calibrate(scores, fit_calibration(scores, answers)), 6)

    _, shared = np.unique(probabilities, return_counts=True)
    assert shared.max() < 0.02 * len(scores)


@pytest.mark.parametrize("count", [600, 9000])
def test_calibration_of_scores_that_fall_with_the_answers_is_left_out(count):
    scores, answers = distorted(count)

    assert fit_calibration(1 - scores, answers).method == "none"


def test_calibration_of_rows_that_scores_part_perfectly_stays_finite():
    scores = np.array([0.0, 0.1, 0.2, 0.8, 0.9, 1.0])

    probabilities = calibrate(scores, fit_calibration(scores, np.array([0, 0, 0, 1, 1, 1], np.int8)))

    assert np.isfinite(probabilities).all()
    assert 0 < probabilities[0] < 0.5 < probabilities[-1] < 1


def test_thresholds_are_those_of_best_f1_and_of_the_top_hundredth():
    random = np.random.default_rng(3)
    probabilities = np.round(random.random(2000), 6)
    answers = (random.random(2000) < probabilities).astype(np.int8)

    chosen = choose_thresholds(probabilities, answers, days=1, alerts_per_day=None)

    f1 = {
        cut: 2 * answers[probabilities >= cut].sum() / ((probabilities >= cut).sum() + answers.sum())
        for cut in probabilities
    }
    assert f1[chosen.decision] == max(f1.values())
    assert (probabilities >= chosen.alert).sum() == 20
    assert chosen.notices == ()


@pytest.mark.parametrize(("per_day", "expected"), [(3, 6), (0.5, 1), (0.01, 1), (1e6, 100)])
def test_alert_threshold_when_alerts_per_day_are_asked_for_gives_so_many(per_day, expected):
    probabilities = np.arange(100) / 100

    chosen = choose_thresholds(probabilities, np.ones(100, np.int8), days=2, alerts_per_day=per_day)

    assert (probabilities >= chosen.alert).sum() == expected
    assert chosen.notices == ()


def test_thresholds_when_many_rows_share_the_highest_probability_say_how_many():
    probabilities = np.repeat([0.2, 0.7], [600, 400])

    chosen = choose_thresholds(probabilities, (probabilities > 0.5).astype(np.int8), days=1, alerts_per_day=None)

    assert chosen.alert == 0.7
    (notice,) = chosen.notices
    assert notice.code == "many_alerts"
    assert "0.7, is shared by 400 of 1000 rows (40.0%) where 10 alerts were wanted" in notice.message


def test_thresholds_of_a_model_with_one_score_fail_the_job():
    with pytest.raises(JobFailed, match=r"every row the same probability \(0.3\): nothing was learnt"):
        choose_thresholds(np.full(50, 0.3), np.ones(50, np.int8), days=1, alerts_per_day=None)


def test_isotonic_calibration_parts_the_highest_scores_where_all_of_them_are_alike_in_truth():
    random = np.random.default_rng(4)
    scores = np.round(random.random(8000), 6)
    # From 0.3 on a higher score says nothing more.
    answers = (random.random(8000) < np.where(scores < 0.3, 0.05, 0.4)).astype(np.int8)
    curve = fit_calibration(scores, answers)

    probabilities = np.round(calibrate(scores, curve), 6)
    chosen = choose_thresholds(probabilities, answers, days=1, alerts_per_day=None)

    assert curve.method == "isotonic"
    assert 40 <= (probabilities >= chosen.alert).sum() <= 80
    assert chosen.notices == ()
    top = scores > 0.9
    assert probabilities[top].mean() == pytest.approx(answers[top].mean(), abs=0.1)


def test_thresholds_without_a_positive_row_fail_the_job():
    with pytest.raises(JobFailed, match="hold no positive one"):
        choose_thresholds(np.array([0.1, 0.2]), np.zeros(2, np.int8), days=1, alerts_per_day=None)


def ranked(returns, *, rows=200):
    """Rows whose probability falls from one to the next, with the returns of the first ones."""
    probabilities = np.round(1 - np.arange(rows) / rows, 6)
    answers = (np.arange(rows) < 10).astype(np.int8)
    return probabilities, answers, np.concatenate([returns, np.full(rows - len(returns), -1.0)])


def test_alert_threshold_by_expected_value_is_where_the_summed_return_is_highest():
    probabilities, answers, returns = ranked([5.0] * 40 + [-1.0, 3.0] + [np.nan] * 5)

    chosen = choose_thresholds(
        probabilities, answers, days=1, alerts_per_day=None, by="expected_value", returns_pct=returns
    )

    assert (chosen.alert, chosen.by, chosen.notices) == (probabilities[41], "expected_value", ())


def test_alert_threshold_by_expected_value_is_not_chosen_from_a_few_lucky_trades():
    probabilities, answers, returns = ranked([900.0] * 2 + [0.0] * 30)

    chosen = choose_thresholds(
        probabilities, answers, days=1, alerts_per_day=None, by="expected_value", returns_pct=returns
    )

    assert (probabilities >= chosen.alert).sum() == 20


def test_alert_threshold_by_expected_value_where_nothing_earns_is_that_of_the_top_hundredth_with_a_notice():
    probabilities, answers, returns = ranked([30.0] * 3)
    returns[3:30] = -10.0

    chosen = choose_thresholds(
        probabilities, answers, days=1, alerts_per_day=None, by="expected_value", returns_pct=returns
    )

    assert (probabilities >= chosen.alert).sum() == 2
    assert chosen.by == "share"
    (notice,) = chosen.notices
    assert notice.code == "no_profitable_threshold"
    assert "at least 20 of the 200 calibrating rows" in notice.message


def test_alert_threshold_by_expected_value_of_a_question_nobody_can_trade_fails_the_job():
    probabilities, answers, _ = ranked([1.0])

    with pytest.raises(JobFailed, match="only a question about price_close or market_cap_close going up can"):
        choose_thresholds(probabilities, answers, days=1, alerts_per_day=None, by="expected_value", returns_pct=None)


@pytest.mark.parametrize(("per_day", "expected"), [(None, 30), (6, 12)])
def test_alert_threshold_when_rows_without_an_answer_come_too_then_they_are_counted(per_day, expected):
    probabilities, answers, _ = ranked([1.0], rows=1000)
    both = np.concatenate([probabilities, np.round(np.linspace(0.5, 1, 2000, endpoint=False) + 0.0001, 6)])

    alone = choose_thresholds(probabilities, answers, days=2, alerts_per_day=per_day)
    chosen = choose_thresholds(probabilities, answers, days=2, alerts_per_day=per_day, every_probability=both)

    assert (both >= chosen.alert).sum() == expected
    assert chosen.alert > alone.alert
    assert chosen.decision == alone.decision


def test_alert_threshold_by_expected_value_when_what_falls_silent_loses_all_then_it_keeps_away_from_it():
    probabilities, answers, returns = ranked([5.0] * 100)
    silent = np.full(60, probabilities[50])
    asked = {"days": 1, "alerts_per_day": None, "by": "expected_value"}

    chosen = choose_thresholds(
        probabilities, answers, **asked, returns_pct=np.concatenate([returns, np.full(60, -90.0)]),
        every_probability=np.concatenate([probabilities, silent]),
    )  # fmt: skip

    assert choose_thresholds(probabilities, answers, **asked, returns_pct=returns).alert == probabilities[99]
    assert chosen.alert == probabilities[49]
