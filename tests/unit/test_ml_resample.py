"""Resampling: what is added, what is left out, and that what is real stays as it was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_service.ml.resample import ResampleError, resample


def table(count, *, share, seed=0, holes=0.0):
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 4)).astype(np.float32)
    features[:, 1] *= np.float32(1e9)
    features[random.random(features.shape) < holes] = np.nan
    answers = np.zeros(count, np.int8)
    answers[: round(count * share)] = 1
    return features, random.permutation(answers)


@pytest.mark.parametrize(("share", "rare"), [(0.05, 1), (0.29, 1), (0.71, 0), (0.98, 0)])
def test_resampling_when_one_answer_is_rare_gives_four_of_it_for_five_of_the_other(share, rare):
    features, answers = table(1000, share=share)

    found = resample(features, answers, random_state=1)

    common = round(1000 * max(share, 1 - share))
    assert (found.answers == rare).sum() == common // 2
    assert (found.answers == 1 - rare).sum() == int(common // 2 / 0.8)
    assert found.notice is None


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_resampling_when_neither_answer_is_rare_leaves_the_rows_and_says_so(share):
    features, answers = table(100, share=share, holes=0.1)

    found = resample(features, answers, random_state=1)

    assert found.features.tobytes() == features.tobytes()
    assert found.answers.tolist() == answers.tolist()
    assert found.notice.code == "not_resampled"


shares = st.sampled_from([0.03, 0.1, 0.25, 0.8, 0.95])


@settings(deadline=None, max_examples=40)
@given(st.integers(50, 300), shares, st.integers(0, 1000), st.sampled_from([0.0, 0.2, 0.9]))
def test_resampling_of_any_rows_keeps_real_ones_bit_by_bit_and_makes_others_like_their_base(count, share, seed, holes):
    features, answers = table(count, share=share, seed=seed, holes=holes)
    rare = 1 if share < 0.5 else 0
    if (answers == rare).sum() < 2:
        return

    found = resample(features, answers, random_state=seed)

    real, synthetic = found.features[: len(found.kept)], found.features[len(found.kept) :]
    assert real.tobytes() == features[found.kept].tobytes()
    assert found.answers[: len(found.kept)].tolist() == answers[found.kept].tolist()
    assert (np.diff(found.kept) > 0).all()
    assert len(synthetic) == len(found.base)
    assert (answers[found.base] == rare).all()
    assert (found.answers[len(found.kept) :] == rare).all()
    assert np.array_equal(np.isnan(synthetic), np.isnan(features[found.base]))
    assert set(np.flatnonzero(answers == rare)) <= set(found.kept)


@pytest.mark.parametrize("seed", range(5))
def test_each_synthetic_row_lies_between_the_base_row_it_names_and_one_of_its_five_nearest(seed):
    features, answers = table(120, share=0.15, seed=seed)

    found = resample(features, answers, random_state=seed)

    # Nearest after each column was given the spread of 1: the second one is in billions.
    rare = np.flatnonzero(answers == 1)
    scaled = features.astype(np.float64) / features.std(axis=0, dtype=np.float64)
    synthetic = found.features[len(found.kept) :].astype(np.float64)
    assert len(synthetic) > 20
    for row, base in zip(synthetic, found.base, strict=True):
        others = rare[rare != base]
        nearest = others[np.argsort(((scaled[others] - scaled[base]) ** 2).sum(axis=1))[:5]]
        assert any(_between(row, features[base], features[other]) for other in nearest)


def _between(row, one, other):
    step = (row[0] - one[0]) / (np.float64(other[0]) - one[0])
    return 0 <= step <= 1 and np.allclose(row, one + step * (other.astype(np.float64) - one), rtol=1e-4, atol=1e-4)


def test_resampling_with_the_same_state_gives_the_same_rows_and_with_another_others():
    features, answers = table(300, share=0.1, holes=0.2)

    first, second, third = (resample(features, answers, random_state=state) for state in (7, 7, 8))

    assert first.features.tobytes() == second.features.tobytes()
    assert first.features.tobytes() != third.features.tobytes()


def test_a_column_without_a_value_or_without_a_difference_stays_so_and_harms_nothing():
    features, answers = table(200, share=0.1)
    features[:, 2], features[:, 3] = np.nan, 0.1

    found = resample(features, answers, random_state=1)

    assert np.isnan(found.features[:, 2]).all()
    assert (found.features[:, 3] == np.float32(0.1)).all()
    assert np.isfinite(found.features[:, :2]).all()


def test_two_rare_rows_are_enough_and_lie_at_both_ends_of_what_is_made():
    features, answers = table(50, share=0.04)

    found = resample(features, answers, random_state=1)

    ends = features[answers == 1]
    synthetic = found.features[len(found.kept) :]
    assert len(synthetic) == 22
    assert ((synthetic >= ends.min(axis=0)) & (synthetic <= ends.max(axis=0))).all()


@pytest.mark.parametrize(
    ("positives", "told"),
    [(1, "positive ones among the 40 rows to fit on: 1"), (39, "negative ones .* to fit on: 1"), (0, ": 0")],
)
def test_fewer_than_two_rare_rows_cannot_be_resampled(positives, told):
    answers = (np.arange(40) < positives).astype(np.int8)

    with pytest.raises(ResampleError, match=f"SMOTE needs two rows of the rarer answer; .*{told}"):
        resample(table(40, share=0.5)[0], answers, random_state=1)
