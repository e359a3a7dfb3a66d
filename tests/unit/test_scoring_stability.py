"""Drift of distributions: laws of the index, and histograms that can show a move."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.scoring import drift_level, histogram_counts, histogram_edges, population_stability_index

BINS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=12)


def drift(learnt: np.ndarray, live: np.ndarray) -> float:
    """Compare values as a service does: edges of the learnt ones, missing values as the last bin."""
    edges = histogram_edges(learnt)
    counted = [histogram_counts(values, edges) for values in (learnt, live)]
    expected, actual = ([*counts, missing] for counts, missing in counted)
    found = population_stability_index(expected, actual)
    assert found is not None
    return found


@given(BINS, st.randoms(use_true_random=False))
def test_index_when_bins_are_any_then_no_side_and_no_order_matters(bins: list, random) -> None:
    expected, actual = zip(*bins, strict=True)
    found = population_stability_index(expected, actual)
    if not sum(expected) or not sum(actual):
        assert found is None
        return
    assert found >= 0
    assert population_stability_index(actual, expected) == pytest.approx(found)
    assert population_stability_index([*expected, 0], [*actual, 0]) == pytest.approx(found)
    random.shuffle(bins)
    assert population_stability_index(*zip(*bins, strict=True)) == pytest.approx(found)
    assert population_stability_index(expected, expected) == 0


def test_index_when_shares_are_known_then_the_sum_by_hand() -> None:
    share = np.array([0.3, 0.5, 0.2]), np.array([0.2, 0.5, 0.3])
    by_hand = 2 * 0.1 * np.log(1.5)
    found = population_stability_index(share[0] * 1e6, share[1] * 1e6)
    assert found == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize("counts", [([1, 2], [1, 2, 3]), ([1, -1], [1, 2])])
def test_index_when_bins_do_not_fit_then_refused(counts: tuple) -> None:
    with pytest.raises(ValueError, match="counts"):
        population_stability_index(*counts)


def test_index_when_rows_are_of_one_distribution_then_as_small_as_chance() -> None:
    random = np.random.default_rng(5)
    learnt, live = random.lognormal(size=100_000), random.lognormal(size=5_000)
    assert drift(learnt, live) < 0.01
    assert drift_level(drift(learnt, live)) == "ok"
    assert drift_level(drift(learnt, live * 2)) == "strong"


@pytest.mark.parametrize(
    ("learnt", "live"),
    [
        ([0.0] * 99 + [1.0], [0.0] * 60 + [1.0] * 40),
        ([0.0] * 970 + list(range(1, 31)), [0.0] * 500 + list(range(1, 31)) * 20),
        ([1.0, 2.0] * 50, [1.0, 2.0] * 25 + [np.nan] * 50),
        (list(range(100)), [np.nan] * 100),
    ],
    ids=["a rare flag is set", "mostly zeros no more", "half falls silent", "all falls silent"],
)
def test_drift_when_a_lopsided_column_moves_then_strong(learnt: list, live: list) -> None:
    assert drift_level(drift(np.array(learnt, float), np.array(live, float))) == "strong"
