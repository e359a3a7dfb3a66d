"""A model that is no better hardly ever leads by more than chance, however often one looks; a better one does."""

import numpy as np
import pytest

from prediction_service.usecases.challenges import CHANCE, beyond_chance

LEAST, TRIALS = 50, 600


def leads(advantage: float, *, looks: int) -> np.ndarray:
    """Give how many standard errors a challenger leads by after each outcome from LEAST on, float[trials, looks]."""
    rng = np.random.default_rng(11)
    right = rng.random((2, TRIALS, LEAST + looks)) < np.array([0.3 + advantage, 0.3])[:, None, None]
    difference = right[0].astype(np.int64) - right[1]
    count = np.arange(1, LEAST + looks + 1)
    mean = np.cumsum(difference, axis=1) / count
    spread = np.cumsum(difference**2, axis=1) / count - mean**2
    return (mean / np.sqrt(np.maximum(spread, 1e-9) / count))[:, LEAST:]


def test_bound_when_models_are_equal_and_every_outcome_is_looked_at_then_few_ever_pass_it():
    seen = leads(0.0, looks=3_000)
    bound = np.array([beyond_chance(count, LEAST) for count in range(LEAST, LEAST + seen.shape[1])])
    assert np.mean((seen > bound).any(axis=1)) <= CHANCE
    # What holds for one look does not hold for many.
    assert np.mean((seen > 1.645).any(axis=1)) > 5 * CHANCE


@pytest.mark.parametrize(("advantage", "looks"), [(0.15, 700), (0.05, 6_000)])
def test_bound_when_the_challenger_is_better_then_nearly_all_pass_it(advantage: float, looks: int):
    seen = leads(advantage, looks=looks)
    bound = np.array([beyond_chance(count, LEAST) for count in range(LEAST, LEAST + looks)])
    assert np.mean((seen > bound).any(axis=1)) > 0.95
