"""Which of several models is better on the same rows, and how sure that is: paired draws of whole groups of rows.

Groups are blocks of time, as what moves the market moves all coins of a moment, and coins, as rows of one coin are much
the same row again; the wider of the two intervals counts. Every draw takes the same groups for all models: what makes a
stretch or a coin easy or hard for all of them cancels out of their differences.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Bools, Floats, Ints
from shared.scoring import Answers, average_precision, brier, roc_auc
from training_service.ml.bootstrap import (
    FEWEST_BLOCKS,
    ROUNDS,
    block_length,
    block_numbers,
    block_weights,
    coin_groups,
    expanded_tail,
)

MOST_LEVELS = 1000
RANKED = ("average_precision", "roc_auc", "brier")
EXPECTED = "expected_value_pct"
MEASURES = (*RANKED, EXPECTED)
_CHUNK = 250
_MOST_UNDEFINED = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """What one model said of the shared rows."""

    probabilities: Floats
    """Of the rows whose answer is known; every measure but expected value rests on them."""
    answers: Answers
    """0 or 1, to the question of this model."""
    answered: Ints
    """Which of all shared rows they are."""
    alerts: Bools
    """Of all shared rows."""
    returns_pct: Floats | None
    """Return of a trade at the row in %, NaN where unknown; None where nothing can be bought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """By how much the first of two models exceeds the second."""

    difference: float | None
    low: float | None = None
    """Lower bound with 95 % confidence."""
    high: float | None = None
    note: str | None = None
    """Why there is no difference, or no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Rows in blocks of time or of coins, and how often each block is drawn."""

    number: Ints
    """Block of each row, 0.."""
    weights: NDArray[np.float64]
    """float64[rounds, blocks]"""
    minutes: float | None
    """Length of a block; None where blocks are of coins."""

    @property
    def count(self) -> int:
        """Give the number of blocks that hold rows."""
        return int(self.weights.shape[1])

    def count_of(self, rows: Ints) -> int:
        """Give the number of blocks that hold some of the rows."""
        return len(np.unique(self.number[rows]))


def cut_blocks(timestamp: Ints, *, horizon_us: int, random_state: int, rounds: int = ROUNDS) -> Blocks:
    """Cut rows (int64[n] microseconds, any order) into blocks of two horizons or more, and draw from them."""
    block_us = block_length(timestamp, horizon_us=horizon_us)
    number = block_numbers(timestamp, block_us=block_us)
    weights = block_weights(int(number.max()) + 1, rounds=rounds, random_state=random_state)
    return Blocks(number=number, weights=weights.astype(np.float64), minutes=block_us / 60_000_000)


def cut_coins(coin: Ints, *, random_state: int, rounds: int = ROUNDS) -> Blocks:
    """Put rows (int64[n], any code of their coin) into at most 200 blocks of whole coins, and draw from them."""
    number = coin_groups(coin, random_state=random_state)
    weights = block_weights(int(number.max()) + 1, rounds=rounds, random_state=random_state)
    return Blocks(number=number, weights=weights.astype(np.float64), minutes=None)


def estimate(contender: Contender) -> dict[str, float | None]:
    """Give the measures of a model on all rows."""
    probabilities, answers = contender.probabilities, contender.answers
    traded = _traded(contender)
    return {
        "average_precision": average_precision(probabilities, answers),
        "roc_auc": roc_auc(probabilities, answers),
        "brier": brier(probabilities, answers),
        EXPECTED: float(np.mean(traded[1])) if len(traded[1]) else None,
    }


def draw(contender: Contender, blocks: Blocks) -> dict[str, Floats]:
    """Give each measure of a model in every draw, float64[rounds]; NaN where a draw leaves it without meaning.

    Average precision and AUC come from counts per block and level of score; where scores take more than 1,000 values,
    neighbours share a level, and the draws are shifted by what that changes on all rows.

    >>> contender = Contender(
    ...     probabilities=np.array([0.9, 0.1, 0.8, 0.3]),
    ...     answers=np.array([1, 0, 0, 1]),
    ...     answered=np.arange(4),
    ...     alerts=np.array([True, False, True, False]),
    ...     returns_pct=np.array([10.0, 0.0, -4.0, 2.0]),
    ... )
    >>> twice_the_first_half = np.array([[2.0, 0.0]])
    >>> drawn = draw(contender, Blocks(number=np.array([0, 0, 1, 1]), weights=twice_the_first_half, minutes=20))
    >>> {name: values.round(3).tolist() for name, values in drawn.items()}
    {'average_precision': [1.0], 'roc_auc': [1.0], 'brier': [0.01], 'expected_value_pct': [10.0]}

    """
    probabilities, answers = contender.probabilities, contender.answers.astype(np.float64)
    level = score_levels(probabilities, answers)
    levels = int(level.max()) + 1
    cell = blocks.number[contender.answered] * levels + level
    shape = (blocks.count, levels)
    rows = np.asarray(np.bincount(cell, minlength=shape[0] * levels), np.float64).reshape(shape)
    ones = np.asarray(np.bincount(cell, weights=answers, minlength=shape[0] * levels), np.float64).reshape(shape)
    precision, area = _rank(blocks.weights, rows, ones)
    # Once every block: what the levels alone would give on all rows.
    coarse_precision, coarse_area = _rank(np.ones((1, blocks.count)), rows, ones)
    exact = estimate(contender)
    traded, returns = _traded(contender)
    return {
        "average_precision": precision + _shift(exact["average_precision"], coarse_precision),
        "roc_auc": area + _shift(exact["roc_auc"], coarse_area),
        "brier": _drawn_mean(blocks, contender.answered, (probabilities - answers) ** 2),
        EXPECTED: _drawn_mean(blocks, traded, returns),
    }


def score_levels(scores: Floats, answers: Answers, *, most: int = MOST_LEVELS) -> Ints:
    """Give each row the number of its level of score, 0 the highest, int64[n]; equal scores share one.

    Beyond `most` distinct scores neighbours are put together, half of the edges spaced evenly by the ones above them,
    half by the logarithm of the rows: fine where the ones are, and among the few highest.

    >>> score_levels(np.array([0.2, 0.9, 0.5, 0.9]), np.array([0, 1, 0, 1])).tolist()
    [2, 0, 1, 0]
    >>> int(score_levels(np.linspace(1, 0, 1000), np.arange(1000) < 100, most=50).max()) < 50
    True
    """
    _, place, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    if len(counts) <= most:
        return np.asarray(place, dtype=np.int64)
    said = np.cumsum(counts)
    hits = np.cumsum(np.bincount(place, weights=answers))
    half = most // 2 - 1
    by_rows = np.searchsorted(said, np.geomspace(said[0], said[-1], half))
    by_ones = np.searchsorted(hits, np.linspace(0, hits[-1], half))
    last = np.unique(np.concatenate([by_rows, by_ones, [len(counts) - 1]]).clip(max=len(counts) - 1))
    return np.asarray(np.searchsorted(last, place), dtype=np.int64)


def difference(
    first: tuple[float | None, Floats], second: tuple[float | None, Floats], *, blocks: int, of: str = "blocks of time"
) -> Difference:
    """Give the difference of a measure of two models with its interval, from values and draws of the same blocks.

    Source:
        H. Künsch, The Jackknife and the Bootstrap for General Stationary Observations, Annals of Statistics 17, 1989,
        with blocks that do not overlap; B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13,
        for percentiles, here those further out that Student's t asks for with few blocks.

    >>> draws = np.linspace(-1, 1, 2001)
    >>> found = difference((0.6, 0.6 + draws / 10), (0.5, np.full(2001, 0.5)), blocks=200)
    >>> round(found.difference, 3), round(found.low, 3), round(found.high, 3)
    (0.1, 0.005, 0.195)

    """
    if first[0] is None or second[0] is None:
        return Difference(difference=None, note="it has no value for one of the two")
    lead = first[0] - second[0]
    if blocks < FEWEST_BLOCKS:
        return Difference(difference=lead, note=f"the rows are of {blocks} {of}; an interval needs {FEWEST_BLOCKS}")
    draws = first[1] - second[1]
    known = draws[~np.isnan(draws)]
    if len(known) < (1 - _MOST_UNDEFINED) * len(draws):
        return Difference(difference=lead, note="too many draws leave one of the two without a value")
    tail = expanded_tail(blocks)
    low, high = np.quantile(known, [tail, 1 - tail]).tolist()
    return Difference(difference=lead, low=low, high=high)


def wider(first: Difference, second: Difference) -> Difference:
    """Give the one of two intervals of a difference that says less; one that has no bounds says least.

    >>> narrow, wide = Difference(difference=2.0, low=1.0, high=3.0), Difference(difference=2.0, low=-1.0, high=4.0)
    >>> wider(narrow, wide) == wide, wider(wide, Difference(difference=2.0, note="why")).note
    (True, 'why')
    """

    def width(one: Difference) -> float:
        return math.inf if one.low is None or one.high is None else one.high - one.low

    return max(first, second, key=width)


def find_winner(values: Sequence[float | None], leads: Sequence[Sequence[Difference]]) -> tuple[int | None, int | None]:
    """Give the winner, or None and the strongest rival that the leader was not proved to beat.

    The winner has the highest value, and the interval of its lead over every other lies above 0. `leads[i][j]` is the
    difference of i to j.

    >>> sure, unsure = Difference(difference=0.2, low=0.1, high=0.3), Difference(difference=0.1, low=-0.1, high=0.3)
    >>> none = Difference(difference=None)
    >>> find_winner([0.7, 0.5], [[none, sure], [none, none]]), find_winner([0.6, 0.5], [[none, unsure], [none, none]])
    ((0, None), (None, 1))

    """
    known = [(value, -at) for at, value in enumerate(values) if value is not None]
    if len(known) < len(values):
        return None, None
    best = -max(known)[1]
    rivals = [at for at in range(len(values)) if at != best]
    unbeaten = [at for at in rivals if not (leads[best][at].low or 0.0) > 0]
    if not unbeaten:
        return best, None
    return None, max(unbeaten, key=lambda at: values[at] or 0.0)


def _rank(weights: NDArray[np.float64], rows: Floats, ones: Floats) -> tuple[Floats, Floats]:
    """Give average precision and AUC of each draw from counts float64[blocks, levels], highest level first."""
    found = [_rank_chunk(weights[at : at + _CHUNK], rows, ones) for at in range(0, len(weights), _CHUNK)]
    return np.concatenate([part[0] for part in found]), np.concatenate([part[1] for part in found])


def _rank_chunk(weights: NDArray[np.float64], rows: Floats, ones: Floats) -> tuple[Floats, Floats]:
    more_rows, more_ones = weights @ rows, weights @ ones
    said, hits = np.cumsum(more_rows, axis=1), np.cumsum(more_ones, axis=1)
    positives, negatives = hits[:, -1], said[:, -1] - hits[:, -1]
    shares = np.divide(hits, said, out=np.zeros_like(hits), where=said > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.sum(more_ones * shares, axis=1) / positives
        area = np.sum((more_rows - more_ones) * (hits - more_ones / 2), axis=1) / (positives * negatives)
    return precision, area


def _drawn_mean(blocks: Blocks, rows: Ints, values: Floats) -> Floats:
    number = blocks.number[rows]
    total = blocks.weights @ np.bincount(number, weights=values, minlength=blocks.count)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Floats = total / (blocks.weights @ np.bincount(number, minlength=blocks.count).astype(np.float64))
    return mean


def _traded(contender: Contender) -> tuple[Ints, Floats]:
    """Give the alerted rows whose return is known, and those returns."""
    if contender.returns_pct is None:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    rows = np.flatnonzero(contender.alerts & ~np.isnan(contender.returns_pct))
    return rows, contender.returns_pct[rows]


def _shift(exact: float | None, coarse: Floats) -> float:
    return float(exact - coarse[0]) if exact is not None else 0.0
