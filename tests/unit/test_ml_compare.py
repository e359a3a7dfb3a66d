"""Paired draws of blocks: equal to the plain way, and sure only where there is something to be sure of."""

import numpy as np
import pytest

from shared.scoring import average_precision, roc_auc
from tests.support.market_rows import MINUTE
from training_service.ml.compare import (
    MEASURES,
    Contender,
    Difference,
    cut_blocks,
    cut_coins,
    difference,
    draw,
    estimate,
    find_winner,
    wider,
)

ROWS = 4000


def market(seed=1, rows=ROWS):
    """Give times over two days, answers, and a signal that knows something of them."""
    random = np.random.default_rng(seed)
    timestamp = np.sort(random.integers(0, 2880, rows)) * MINUTE
    answers = (random.random(rows) < 0.15).astype(np.int8)
    return timestamp, answers, answers + random.normal(0, 1, rows), random


def contender(signal, answers, *, decimals=6, returns=None):
    probabilities = np.round(1 / (1 + np.exp(1.5 - signal)), decimals)
    return Contender(
        probabilities=probabilities, answers=answers, answered=np.arange(len(answers)), alerts=probabilities > 0.5,
        returns_pct=returns,
    )  # fmt: skip


def blocks_of(timestamp, rounds=50):
    return cut_blocks(timestamp, horizon_us=10 * MINUTE, random_state=1, rounds=rounds)


@pytest.mark.parametrize(("decimals", "tolerance"), [(2, 1e-12), (6, 1e-3)])
def test_draws_when_rows_are_weighted_one_by_one_then_they_are_the_same(decimals, tolerance):
    timestamp, answers, signal, random = market()
    returns = np.where(random.random(ROWS) < 0.1, np.nan, random.normal(0, 5, ROWS))
    one = contender(signal, answers, decimals=decimals, returns=returns)
    blocks = blocks_of(timestamp)

    drawn = draw(one, blocks)

    for number in range(10):
        weight = blocks.weights[number][blocks.number]
        there = np.repeat(np.arange(ROWS), weight.astype(int))
        scores, true = one.probabilities[there], answers[there]
        traded = there[one.alerts[there] & ~np.isnan(returns[there])]
        assert drawn["average_precision"][number] == pytest.approx(average_precision(scores, true), abs=tolerance)
        assert drawn["roc_auc"][number] == pytest.approx(roc_auc(scores, true), abs=tolerance)
        assert drawn["brier"][number] == pytest.approx(np.mean((scores - true) ** 2), abs=1e-12)
        assert drawn["expected_value_pct"][number] == pytest.approx(returns[traded].mean(), abs=1e-9)


def test_draws_when_some_rows_have_no_answer_then_only_expected_value_rests_on_them():
    timestamp, answers, signal, random = market()
    returns = random.normal(0, 5, ROWS)
    whole, blocks = contender(signal, answers, returns=returns), blocks_of(timestamp)
    known = random.random(ROWS) < 0.3
    part = Contender(
        probabilities=whole.probabilities[known], answers=answers[known], answered=np.flatnonzero(known),
        alerts=whole.alerts, returns_pct=returns,
    )  # fmt: skip

    drawn, all_drawn = draw(part, blocks), draw(whole, blocks)

    np.testing.assert_array_equal(drawn["expected_value_pct"], all_drawn["expected_value_pct"])
    assert estimate(part)["expected_value_pct"] == estimate(whole)["expected_value_pct"]
    for number in range(10):
        there = np.repeat(np.arange(ROWS), blocks.weights[number][blocks.number].astype(int) * known)
        scores, true = whole.probabilities[there], answers[there]
        assert drawn["average_precision"][number] == pytest.approx(average_precision(scores, true), abs=1e-3)
        assert drawn["brier"][number] == pytest.approx(np.mean((scores - true) ** 2), abs=1e-12)


def test_draws_when_all_are_averaged_then_they_lie_around_the_value_of_all_rows():
    timestamp, answers, signal, _ = market()
    one = contender(signal, answers)

    drawn, value = draw(one, blocks_of(timestamp, rounds=2000)), estimate(one)

    for name in ("average_precision", "roc_auc", "brier"):
        assert drawn[name].mean() == pytest.approx(value[name], abs=drawn[name].std() / 2)
    assert value["expected_value_pct"] is None
    assert np.isnan(drawn["expected_value_pct"]).all()


def lead(first, second, blocks, name="average_precision"):
    return difference(
        (estimate(first)[name], draw(first, blocks)[name]),
        (estimate(second)[name], draw(second, blocks)[name]),
        blocks=blocks.count,
    )


def test_difference_when_one_model_knows_more_then_its_interval_lies_above_zero():
    timestamp, answers, signal, random = market()
    blocks = blocks_of(timestamp, rounds=1000)

    found = lead(contender(signal, answers), contender(random.normal(0, 1, ROWS), answers), blocks)

    assert 0 < found.low < found.difference < found.high


def test_difference_when_models_are_the_same_then_it_is_zero_and_so_are_its_bounds():
    timestamp, answers, signal, random = market()
    one = contender(signal, answers, returns=random.normal(0, 1, ROWS))
    blocks = blocks_of(timestamp)

    assert {lead(one, one, blocks, name) for name in MEASURES} == {Difference(difference=0.0, low=0.0, high=0.0)}


def test_difference_when_models_share_their_noise_then_pairing_makes_it_surer_than_each_alone():
    timestamp, answers, signal, random = market()
    blocks = blocks_of(timestamp, rounds=1000)
    first, second = (contender(signal + random.normal(0, 0.1, ROWS), answers) for _ in range(2))

    spread = [np.std(draw(one, blocks)["average_precision"]) for one in (first, second)]
    paired = lead(first, second, blocks)

    assert paired.high - paired.low < 2 * min(spread)


def test_difference_when_rows_span_a_few_blocks_only_then_there_is_no_interval_and_a_reason():
    timestamp, answers, signal, random = market()
    short = blocks_of(timestamp // 60)

    found = lead(contender(signal, answers), contender(random.normal(0, 1, ROWS), answers), short)

    assert found.difference > 0
    assert (found.low, found.high) == (None, None)
    assert "3 blocks" in found.note


def test_difference_when_the_luck_of_coins_decides_then_drawing_coins_finds_it():
    timestamp, answers, signal, random = market()
    coin = random.integers(0, 40, ROWS)
    first, second = (contender(signal + random.normal(0, 1.5, 40)[coin], answers) for _ in range(2))
    blocks, coins = blocks_of(timestamp, rounds=1000), cut_coins(coin, random_state=1, rounds=1000)

    in_time, of_coins = lead(first, second, blocks), lead(first, second, coins)

    assert of_coins.high - of_coins.low > 1.2 * (in_time.high - in_time.low)
    assert wider(in_time, of_coins) == wider(of_coins, in_time) == of_coins


def test_difference_when_a_model_hardly_ever_alerts_then_there_is_no_interval_of_what_it_earns():
    timestamp, answers, signal, _ = market()
    returns = np.ones(ROWS)
    often = contender(signal, answers, returns=returns)
    once = Contender(
        probabilities=often.probabilities,
        answers=answers,
        answered=np.arange(ROWS),
        alerts=np.arange(ROWS) == 7,
        returns_pct=returns,
    )

    found = lead(often, once, blocks_of(timestamp), "expected_value_pct")

    assert found.low is None
    assert "draws" in found.note


def sure(value):
    return Difference(difference=value, low=value / 2, high=value * 2)


def test_winner_when_one_rival_is_not_surely_beaten_then_nobody_wins_and_that_rival_is_named():
    unsure = Difference(difference=0.01, low=-0.01, high=0.03)
    nothing = Difference(difference=None)
    leads = [[nothing] * 3, [sure(0.2), nothing, unsure], [nothing] * 3]

    assert find_winner([0.5, 0.7, 0.69], leads) == (None, 2)
    leads[1][2] = sure(0.01)
    assert find_winner([0.5, 0.7, 0.69], leads) == (1, None)


def test_winner_when_the_rows_hold_no_positive_one_then_nobody_wins_or_is_named():
    assert find_winner([None, None], [[Difference(difference=None)] * 2] * 2) == (None, None)
