"""Scores against scikit-learn, and what they say where nothing can be said."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics

from shared import scoring

SCORES = st.sampled_from([0.0, 0.1, 0.3, 0.3, 0.5, 0.999999, 1.0]) | st.floats(0, 1)


@st.composite
def predictions(draw: st.DrawFn, *, both: bool = True) -> tuple[np.ndarray, np.ndarray]:
    size = draw(st.integers(2 if both else 1, 40))
    scores = draw(arrays.arrays(np.float64, size, elements=SCORES))
    answers = draw(arrays.arrays(np.int8, size, elements=st.integers(0, 1)))
    if both:
        answers[0], answers[1] = 0, 1
    return scores, answers


@given(predictions())
def test_ranking_scores_when_both_classes_are_present_then_as_scikit_learn(rows: tuple) -> None:
    scores, answers = rows
    assert scoring.roc_auc(scores, answers) == pytest.approx(metrics.roc_auc_score(answers, scores))
    assert scoring.average_precision(scores, answers) == pytest.approx(metrics.average_precision_score(answers, scores))
    assert scoring.brier(scores, answers) == pytest.approx(metrics.brier_score_loss(answers, scores))
    assert scoring.log_loss(scores, answers) == pytest.approx(metrics.log_loss(answers, scores))


@given(predictions(), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_confusion_when_both_classes_are_present_then_as_scikit_learn(rows: tuple, threshold: float) -> None:
    scores, answers = rows
    found = scoring.confusion(scores, answers, threshold)
    said = scores >= threshold
    tn, fp, fn, tp = metrics.confusion_matrix(answers, said, labels=[0, 1]).ravel().tolist()
    assert found == scoring.Confusion(tp=tp, tn=tn, fp=fp, fn=fn)
    assert found.rows == len(answers)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(answers, said))
    assert found.recall == pytest.approx(metrics.recall_score(answers, said))
    assert found.f1 == pytest.approx(metrics.f1_score(answers, said))
    assert found.mcc == pytest.approx(metrics.matthews_corrcoef(answers, said))
    assert (found.fpr, found.fnr) == (pytest.approx(fp / (fp + tn)), pytest.approx(fn / (fn + tp)))
    assert found.precision == (pytest.approx(metrics.precision_score(answers, said)) if said.any() else None)


def test_mcc_when_counts_are_in_the_millions_then_no_overflow() -> None:
    found = scoring.Confusion(tp=3_000_000, tn=3_000_000, fp=1_000_000, fn=1_000_000)
    assert found.mcc == pytest.approx(0.5)


@pytest.mark.parametrize("answer", [0, 1])
def test_scores_when_there_is_one_class_then_none_where_undefined(answer: int) -> None:
    scores, answers = np.array([0.2, 0.7]), np.full(2, answer)
    counts = scoring.confusion(scores, answers, 0.5)
    assert scoring.roc_auc(scores, answers) is None
    assert counts.mcc is None
    assert scoring.average_precision(scores, answers) == (1.0 if answer else None)
    assert (counts.recall, counts.fnr) == ((0.5, 0.5) if answer else (None, None))
    assert counts.fpr == (None if answer else 0.5)
    assert scoring.best_f1_threshold(scores, answers) == (0.2 if answer else None)
    assert {point.recall for point in scoring.threshold_curve(scores, answers, days=1)} == (
        {0.5, 1.0} if answer else {None}
    )


def test_scores_when_there_are_no_rows_then_none() -> None:
    nothing = np.empty(0)
    counts = scoring.confusion(nothing, nothing, 0.5)
    assert (counts.rows, counts.accuracy, counts.precision, counts.f1) == (0, None, None, None)
    for score in (
        scoring.roc_auc,
        scoring.average_precision,
        scoring.brier,
        scoring.log_loss,
        scoring.best_f1_threshold,
    ):
        assert score(nothing, nothing) is None
    assert scoring.threshold_curve(nothing, nothing, days=1) == ()
    assert scoring.calibration_bins(nothing, nothing) == ()
    assert scoring.top_share_threshold(nothing, 0.01) is None


@given(predictions(), st.integers(1, 15))
def test_threshold_curve_when_thinned_then_each_point_is_true(rows: tuple, points: int) -> None:
    scores, answers = rows
    curve = scoring.threshold_curve(scores, answers, days=0.5, points=points)
    assert 1 <= len(curve) <= points
    assert [point.threshold for point in curve] == sorted({point.threshold for point in curve}, reverse=True)
    for point in curve:
        counts = scoring.confusion(scores, answers, point.threshold)
        assert point.precision == pytest.approx(counts.precision)
        assert point.recall == pytest.approx(counts.recall)
        assert point.alerts_per_day == pytest.approx((counts.tp + counts.fp) / 0.5)


def test_threshold_curve_when_rows_are_many_then_two_hundred_points_crowd_at_the_top() -> None:
    scores = np.linspace(0, 1, 100_000)
    curve = scoring.threshold_curve(scores, scores > 0.5, days=0)
    assert 150 < len(curve) <= 200
    assert (curve[0].threshold, curve[-1].threshold) == (1.0, 0.0)
    assert sum(point.threshold > 0.99 for point in curve) > 80
    assert curve[0].alerts_per_day is None


@given(predictions(both=False), st.integers(1, 12))
def test_calibration_bins_when_scores_tie_then_every_row_in_one_bin(rows: tuple, bins: int) -> None:
    scores, answers = rows
    found = scoring.calibration_bins(scores, answers, bins=bins)
    assert 1 <= len(found) <= bins
    assert sum(part.rows for part in found) == len(scores)
    for before, after in itertools.pairwise(found):
        assert before.upper < after.lower
    for part in found:
        inside = (scores >= part.lower) & (scores <= part.upper)
        assert part.rows == inside.sum()
        assert part.mean_probability == pytest.approx(scores[inside].mean())
        assert part.observed_rate == pytest.approx(answers[inside].mean())


@given(predictions())
def test_best_f1_threshold_when_searched_by_hand_then_the_highest_best(rows: tuple) -> None:
    scores, answers = rows
    best = max((scoring.confusion(scores, answers, value).f1, value) for value in scores.tolist())
    assert scoring.best_f1_threshold(scores, answers) == best[1]


@given(predictions(), st.floats(0.001, 1))
def test_top_share_threshold_when_applied_then_at_most_that_share_but_one_score(rows: tuple, share: float) -> None:
    scores, _ = rows
    threshold = scoring.top_share_threshold(scores, share)
    assert threshold in scores
    reached = (scores >= threshold).sum()
    assert reached <= share * len(scores) or threshold == scores.max()
    lower = scores[scores < threshold]
    assert not len(lower) or (scores >= lower.max()).sum() > share * len(scores)


def test_alerts_per_day_threshold_when_span_is_days_then_so_many_a_day() -> None:
    scores = np.linspace(0, 1, 1001)
    threshold = scoring.alerts_per_day_threshold(scores, days=2.5, alerts_per_day=4)
    assert (scores >= threshold).sum() == 10


@given(
    arrays.arrays(np.float32, st.integers(0, 60), elements=st.floats(width=32, allow_infinity=False)),
    st.integers(1, 12),
)
def test_histogram_when_values_are_ugly_then_every_row_counts_once(values: np.ndarray, bins: int) -> None:
    edges = scoring.histogram_edges(values, bins=bins)
    counts, missing = scoring.histogram_counts(values, edges)
    assert missing == np.isnan(values).sum()
    assert counts.sum() + missing == len(values)
    assert len(counts) == max(len(edges) - 1, 0)
    assert len(edges) <= bins + 1
    assert np.all(np.diff(edges[:-1]) > 0)
    if len(edges):
        assert (edges[0], edges[-1]) == (np.nanmin(values), np.nanmax(values))
        assert np.all(counts > 0)


def test_histogram_when_live_values_lie_outside_then_in_the_outer_bins() -> None:
    edges = scoring.histogram_edges(np.arange(100.0), bins=4)
    counts, missing = scoring.histogram_counts(np.array([-1e9, 0.0, 50.0, 99.0, 1e9, np.nan]), edges.tolist())
    assert edges.tolist() == [0, 24, 49, 74, 99]
    assert (counts.tolist(), missing) == ([2, 0, 1, 2], 1)


@given(predictions(), st.integers(3, 15))
def test_curves_when_thinned_then_each_point_is_true(rows: tuple, points: int) -> None:
    scores, answers = rows
    rates = scoring.roc_curve(scores, answers, points=points)
    precisions = scoring.precision_recall_curve(scores, answers, points=points)
    assert 2 <= len(rates) <= points
    assert (rates[0].fpr, rates[0].tpr, rates[-1].fpr, rates[-1].tpr) == (0, 0, 1, 1)
    for point in rates[1:]:
        counts = scoring.confusion(scores, answers, point.threshold)
        assert (point.fpr, point.tpr) == (pytest.approx(counts.fpr), pytest.approx(counts.recall))
    assert 1 <= len(precisions) <= points
    assert precisions[-1].recall == 1
    for point in precisions:
        counts = scoring.confusion(scores, answers, point.threshold)
        assert (point.precision, point.recall) == (pytest.approx(counts.precision), pytest.approx(counts.recall))


@given(predictions())
def test_roc_curve_when_complete_then_its_area_is_the_auc(rows: tuple) -> None:
    scores, answers = rows
    curve = scoring.roc_curve(scores, answers)
    area = sum((b.fpr - a.fpr) * (a.tpr + b.tpr) / 2 for a, b in itertools.pairwise(curve))
    assert area == pytest.approx(scoring.roc_auc(scores, answers))


@given(predictions(), st.randoms(use_true_random=False))
def test_average_precision_when_rows_are_weighted_then_as_scikit_learn(rows: tuple, random) -> None:
    scores, answers = rows
    weights = np.array([random.choice([0.5, 1.0, 3.0]) for _ in answers])
    assert scoring.average_precision(scores, answers, weights) == pytest.approx(
        metrics.average_precision_score(answers, scores, sample_weight=weights)
    )


@given(predictions(), st.integers(1, 6))
def test_best_return_threshold_when_searched_by_hand_then_no_other_sums_to_more(rows: tuple, least: int) -> None:
    scores, answers = rows
    returns = np.where(answers == 1, 8.0, -4.0)
    returns[0] = np.nan
    found = scoring.best_return_threshold(scores, returns, least_trades=least)
    sums = {}
    for value in scores[1:].tolist():
        traded = returns[scores >= value]
        traded = traded[~np.isnan(traded)]
        if len(traded) >= least:
            sums[value] = traded.sum()
    best = max(sums.values(), default=0)
    assert found == (max(value for value, total in sums.items() if total == best) if best > 0 else None)


def test_threshold_curve_when_returns_are_known_then_what_trading_down_to_each_would_bring() -> None:
    scores, answers = np.array([0.9, 0.8, 0.8, 0.1]), np.array([1, 0, 1, 0])
    curve = scoring.threshold_curve(scores, answers, days=1, returns_pct=np.array([30.0, -10.0, np.nan, -40.0]))
    assert [(at.expected_value_pct, at.total_return_pct) for at in curve] == [(30, 30), (10, 20), (-20 / 3, -20)]
    assert scoring.threshold_curve(scores, answers, days=1)[0].expected_value_pct is None


@given(predictions(), st.lists(st.sampled_from([0.0, 0.15, 0.5, 0.85, 1.0]), max_size=8))
def test_threshold_curve_when_rows_without_answers_alert_too_then_alerts_and_returns_are_of_all(
    rows: tuple, others: list
) -> None:
    scores, answers = rows
    every = np.concatenate([scores, others])
    returns = np.where(np.arange(len(every)) % 3 == 0, np.nan, np.arange(len(every)) - 2.0)
    alone = scoring.threshold_curve(scores, answers, days=2)
    curve = scoring.threshold_curve(scores, answers, days=2, returns_pct=returns, every_score=every)
    assert [(at.threshold, at.precision, at.recall) for at in curve] == [
        (at.threshold, at.precision, at.recall) for at in alone
    ]
    for point in curve:
        reached = every >= point.threshold
        known = returns[reached & ~np.isnan(returns)]
        assert point.alerts_per_day == reached.sum() / 2
        assert point.total_return_pct == (known.sum() if len(known) else None)
