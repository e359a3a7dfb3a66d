"""Figures of the hold-out against scikit-learn's, and the warnings they call for."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from shared.errors import JobFailed
from shared.labels import RuleTarget, TimeTarget
from tests.support.datasets import dataset, unanswered
from tests.support.market_rows import MINUTE, START
from training_service.ml.crossval import CrossValidation
from training_service.ml.divide import divide
from training_service.ml.figures import measure
from training_service.ml.returns import Costs
from training_service.ml.scored import score_holdout
from training_service.ml.split import Split
from training_service.ml.verdict import judge

UP = TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=10)
COSTS = Costs(fee_pct=1.0, slippage_pct=0.0, trade_size_sol=0.5)


class HalfOfTheFeature:
    """A model whose probability is its only feature, and whose raw score is half of it."""

    def scores(self, features):
        return np.round(features[:, 0].astype(np.float64), 6) / 2

    def calibrated(self, scores):
        return scores * 2


def scored(data):
    everything = Split(
        fit=np.zeros(0, np.int64), calibration=np.zeros(0, np.int64), holdout=np.arange(len(data)), purged=0,
        calibration_us=0, calibration_end_us=0, holdout_us=START - 1,
    )  # fmt: skip
    return score_holdout(data, everything, HalfOfTheFeature())


def figures_of(data, *, decision=0.5, alert=0.9, target=UP, costs=COSTS):
    return measure(
        scored(data), decision_threshold=decision, alert_threshold=alert, target=target, costs=costs, random_state=1
    )


def learnt(count=3000, seed=1):
    random = np.random.default_rng(seed)
    probabilities = np.round(random.random(count).astype(np.float32), 6)
    return probabilities, (random.random(count) < probabilities).astype(np.int8)


def test_figures_equal_those_of_scikit_learn():
    probabilities, answers = learnt()
    data = dataset(probabilities, answers)

    found = figures_of(data, decision=0.4)

    scores = scored(data).probabilities
    said = scores >= 0.4
    assert found.decision.accuracy == pytest.approx(metrics.accuracy_score(answers, said))
    assert found.decision.f1 == pytest.approx(metrics.f1_score(answers, said))
    assert found.decision.mcc == pytest.approx(metrics.matthews_corrcoef(answers, said))
    assert found.roc_auc == pytest.approx(metrics.roc_auc_score(answers, scores))
    assert found.average_precision == pytest.approx(metrics.average_precision_score(answers, scores))
    assert found.brier == pytest.approx(metrics.brier_score_loss(answers, scores))
    assert found.brier_uncalibrated == pytest.approx(metrics.brier_score_loss(answers, scores / 2))
    assert found.log_loss == pytest.approx(metrics.log_loss(answers, scores))
    counts = found.decision
    assert found.simulated_profit_pct == pytest.approx((0.01 * counts.tp - 0.005 * counts.fp) / len(data) * 100)


def test_expected_value_is_that_of_the_alerts():
    probabilities, answers = learnt()

    found = figures_of(dataset(probabilities, answers), alert=0.9)

    alerts = np.round(probabilities.astype(np.float64), 6) >= 0.9
    kept = 0.99 * 0.99
    returns = np.where(answers[alerts] == 1, 1.2 * kept - 1, 0.95 * kept - 1) * 100
    assert found.expected_value_pct == pytest.approx(returns.mean())
    assert found.to_metrics()["alerts_per_day"] == pytest.approx(alerts.sum() / (2999 / 1440))


def test_alerts_that_nobody_can_judge_count_as_they_come_and_are_sold_at_the_last_price():
    probabilities, answers = learnt(2881)
    # Two days of rows; 40 rows of a coin that falls silent, half of them alerts, one of these without any price.
    silent = unanswered(
        np.tile([0.95, 0.2], 20), minutes=np.arange(40) * 72, change_pct=[np.nan, *np.full(39, -60.0)]
    )  # fmt: skip

    alone = figures_of(dataset(probabilities, answers), alert=0.9)
    found = figures_of(dataset(probabilities, answers, others=silent), alert=0.9)

    assert (found.alerts, found.alerts_per_day) == (alone.alerts + 20, (alone.alerts + 20) / 2)
    money = found.money
    assert (money.silent_alerts, money.alerts_without_outcome) == (19, 1)
    assert money.seen_again == alone.money.every_alert
    lost = (0.4 * 0.99 * 0.99 - 1) * 100
    mean = (alone.expected_value_pct * alone.alerts + lost * 19) / (alone.alerts + 19)
    assert found.expected_value_pct == money.every_alert.mean_pct == pytest.approx(mean)
    # Where an answer is needed nothing changes.
    for name in ("decision", "alert", "half", "base_rate", "roc_auc", "average_precision", "brier", "log_loss", "bins"):
        assert getattr(found, name) == getattr(alone, name)


def test_threshold_curve_and_periods_when_nobody_can_judge_some_rows_then_their_alerts_are_counted_too():
    probabilities, answers = learnt(1441)
    silent = unanswered(np.full(30, 0.95), minutes=np.arange(30) + 2000, change_pct=np.full(30, -50.0))

    found = figures_of(dataset(probabilities, answers, others=silent), alert=0.9)

    known = np.round(probabilities.astype(np.float64), 6)
    both = np.concatenate([known, np.full(30, 0.95)])
    for point in found.curve:
        reached = known >= point.threshold
        assert point.precision == pytest.approx(answers[reached].mean())
        assert point.alerts_per_day == pytest.approx((both >= point.threshold).sum() / (2029 / 1440), rel=1e-6)
    assert sum(period.alerts for period in found.periods) == found.alerts
    assert sum(period.rows for period in found.periods) == 1441
    last = found.periods[-1]
    assert (last.rows, last.base_rate, last.precision, last.roc_auc, last.alerts) == (0, None, None, None, 30)
    assert last.expected_value_pct == pytest.approx((0.5 * 0.99 * 0.99 - 1) * 100)


def verdict(figures, data, gap=None, target=UP):
    cross = None if gap is None else CrossValidation(scores={}, overfitting_gap=gap)
    notices = judge(figures, base_rate=data.readings.base_rate, target=target, cross=cross)
    return {notice.code: notice.message for notice in notices}


def codes(figures, data, gap=None):
    return set(verdict(figures, data, gap))


def test_a_sound_model_calls_for_no_warning():
    data = dataset(*learnt())

    assert codes(figures_of(data), data, gap=0.05) == set()


def test_a_model_that_learnt_nothing_is_told():
    random = np.random.default_rng(0)
    data = dataset(random.random(3000), random.random(3000) < 0.3)

    assert codes(figures_of(data), data) == {"barely_learned", "low_f1"}


def test_rare_positives_and_high_accuracy_are_told_beside_what_always_no_would_reach():
    answers = np.arange(1000) % 50 == 0
    data = dataset(np.where(answers, 0.9, 0.1), answers)

    notices = verdict(figures_of(data), data)

    assert set(notices) == {"label_imbalance", "suspiciously_accurate"}
    assert "2.00% of the rows are positive" in notices["label_imbalance"]
    assert "always giving the more frequent answer would have 98.0%" in notices["suspiciously_accurate"]


def test_slippage_that_rests_on_assumed_reserves_is_told_with_its_share():
    data = dataset(*learnt())
    data.reserves_sol[::4] = np.nan
    from_curve = replace(COSTS, slippage_pct=None)

    found, given = figures_of(data, costs=from_curve), figures_of(data)

    assert 0 < found.money.assumed_reserves < found.money.every_alert.trades
    told = verdict(found, data)["reserves_unknown"]
    assert (
        f"missing for {found.money.assumed_reserves} of the {found.money.every_alert.trades} alerts traded (2" in told
    )
    assert "reserves_unknown" not in verdict(given, data)


def test_a_holdout_of_one_answer_is_told_and_has_no_auc():
    data = dataset(np.linspace(0, 1, 100), np.zeros(100), base_rate=0.3)
    found = figures_of(data)

    assert (found.roc_auc, found.decision.mcc) == (None, None)
    assert codes(found, data) == {"one_class_holdout", "low_f1"}


def test_a_wide_gap_between_learnt_and_following_rows_is_told():
    data = dataset(*learnt())

    assert codes(figures_of(data), data, gap=0.11) == {"overfitting"}


def test_rows_that_are_all_purged_fail_the_job_with_their_number():
    data = dataset(*learnt(100))

    with pytest.raises(JobFailed, match=r"no rows are left for fitting: of 100 rows \d+ look past their part"):
        divide(data, test_size=0.2, horizon_us=90 * MINUTE)


def test_a_calibrating_part_of_one_answer_fails_the_job_with_its_span():
    answers = np.zeros(100)
    answers[[5, 10, 95]] = 1

    with pytest.raises(
        JobFailed, match=r"rows for calibrating, 2025-\S+ to 2025-\S+, hold one answer only \(0 positive"
    ):
        divide(dataset(np.zeros(100), answers), test_size=0.2, horizon_us=0)


def test_a_model_that_never_errs_is_suspicious_for_the_future_and_repeats_a_rule_of_the_present():
    answers = np.arange(1000) % 3 == 0
    data = dataset(np.where(answers, 0.9, 0.1), answers)
    rule = RuleTarget(target_var="price_close", operator=">", target_value=3e-8)

    future, present = verdict(figures_of(data), data), verdict(figures_of(data, target=rule), data, target=rule)

    assert "ROC AUC on the hold-out is 1.0000, which no market allows" in future["suspiciously_accurate"]
    assert "target_in_features" not in future
    assert "the features together give price_close of the same row away" in present["target_in_features"]


def test_figures_of_each_period_are_those_of_its_rows_alone():
    probabilities, answers = learnt(600)
    data = dataset(probabilities, answers)

    periods = figures_of(data).periods

    assert {period.minutes for period in periods} == {15}
    assert sum(period.rows for period in periods) == 600
    begin = sum(period.rows for period in periods[:3])
    part = slice(begin, begin + periods[3].rows)
    scores, truth = scored(data).probabilities[part], answers[part]
    assert periods[3].start.timestamp() * 1e6 <= data.timestamp[begin] < periods[4].start.timestamp() * 1e6
    assert periods[3].average_precision == pytest.approx(metrics.average_precision_score(truth, scores))
    assert periods[3].roc_auc == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert periods[3].alerts == (scores >= 0.9).sum()
