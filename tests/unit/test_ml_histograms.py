"""What a model file tells of the rows it was made of, for comparison with live ones."""

import numpy as np

from tests.support.datasets import dataset, unanswered
from training_service.ml.golden import histogram_of, histograms


def test_histograms_when_rows_lack_an_answer_then_those_of_the_same_time_count_too() -> None:
    # Live, nobody can tell such rows from the others.
    silent = unanswered([0.9, np.nan, 0.9, 0.9], minutes=[3, 4, 99, 500], change_pct=[0.0] * 4)
    data = dataset(np.linspace(0, 0.5, 200), [0, 1] * 100, others=silent)

    (found,) = histograms(data, np.arange(100)).values()

    assert (sum(found.counts), found.missing) == (102, 1)
    assert found.edges[-1] == np.float32(0.9)


def test_histograms_when_there_are_no_rows_then_empty() -> None:
    data = dataset([], [])
    (found,) = histograms(data, np.arange(0)).values()
    assert (found.edges, found.counts, found.missing) == ((), (), 0)


def test_histogram_when_the_highest_value_is_crowded_then_it_has_a_bin() -> None:
    found = histogram_of(np.array([0.1] * 60 + [0.9] * 40))
    assert (found.edges, found.counts) == ((0.1, 0.9, 0.9), (60, 40))
