"""What a model loses when a feature is shuffled."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from training_service.ml.importance import permutation_importance

NAMES = ("strong", "weak", "noise")


class Sum:
    """A model that adds its features, the first ones counting most."""

    def probabilities(self, features):
        known = np.nan_to_num(features.astype(np.float64))
        return np.clip(0.8 * known[:, 0] + 0.2 * known[:, 1], 0, 1)


def rows(count=20_000, *, rate=0.02, seed=1):
    random = np.random.default_rng(seed)
    features = random.random((count, 3)).astype(np.float32)
    score = 0.8 * features[:, 0] + 0.2 * features[:, 1] + random.normal(0, 0.05, count)
    return features, (score >= np.quantile(score, 1 - rate)).astype(np.int8)


def test_importance_ranks_features_by_what_the_model_makes_of_them():
    features, answers = rows()
    before = features.copy()

    found = permutation_importance(Sum(), features, answers, NAMES, trees=1, random_state=3)

    assert list(found) == list(NAMES)
    assert found["strong"].mean > 1.2 * found["weak"].mean > 0
    assert (found["noise"].mean, found["noise"].std) == (0, 0)
    assert 0 < found["strong"].std < found["strong"].mean
    np.testing.assert_array_equal(features, before)
    assert found == permutation_importance(Sum(), features, answers, NAMES, trees=1, random_state=3)


def test_importance_of_rare_answers_from_fewer_rows_is_about_that_of_all_rows():
    features, answers = rows(60_000, rate=0.005)

    few = permutation_importance(Sum(), features, answers, NAMES, trees=100, random_state=3)

    shuffled = features.copy()
    shuffled[:, 0] = np.random.default_rng(9).permutation(shuffled[:, 0])
    whole = average_precision_score(answers, Sum().probabilities(features))
    fall = whole - average_precision_score(answers, Sum().probabilities(shuffled))
    assert few["strong"].mean == pytest.approx(fall, abs=0.08)


def test_importance_of_rows_with_one_answer_is_empty():
    features, _ = rows(100)

    assert permutation_importance(Sum(), features, np.zeros(100, np.int8), NAMES, trees=1, random_state=1) == {}
