"""How sure a mean is when neighbours in time, and rows of one coin, resemble each other: resampling of whole groups."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Floats, Ints

FEWEST_BLOCKS = 10
FEWEST_COINS = 10
MOST_BLOCKS = 200
ROUNDS = 2000
LEVEL = 0.95
_HORIZONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a mean lies, with 95 % confidence."""

    low: float | None
    high: float | None
    blocks: int
    """Blocks of time that hold values."""
    block_minutes: float
    reason: str | None = None
    """Why there are no bounds."""


def block_length(timestamp: Ints, *, horizon_us: int) -> int:
    """Give the length of a block in microseconds: two horizons, or the 200th part of the span where that is longer.

    Values that look one horizon ahead resemble each other over one horizon; a block of one alone would cut most pairs.

    >>> block_length(np.array([0, 7_200_000_000]), horizon_us=600_000_000) // 60_000_000
    20
    """
    span = int(np.ptp(timestamp)) if len(timestamp) else 0
    return max(_HORIZONS * horizon_us, -(-span // MOST_BLOCKS), 1)


def block_numbers(timestamp: Ints, *, block_us: int) -> Ints:
    """Give each row the number 0, 1, … of its block of time int64[n]; blocks without rows have no number.

    >>> block_numbers(np.array([5, 6, 25, 14]), block_us=10).tolist()
    [0, 0, 1, 0]
    """
    if not len(timestamp):
        return np.zeros(0, dtype=np.int64)
    _, number = np.unique((timestamp - timestamp.min()) // block_us, return_inverse=True)
    return np.asarray(number, dtype=np.int64)


def coin_groups(coin: Ints, *, random_state: int) -> Ints:
    """Give each row the number 0, 1, … of the group its coin is drawn with int64[n]: one each, or 200 dealt at random.

    >>> coin_groups(np.array([7, 9, 7]), random_state=1).tolist() in ([0, 1, 0], [1, 0, 1])
    True
    >>> int(coin_groups(np.arange(1000), random_state=1).max())
    199
    """
    coins, number = np.unique(coin, return_inverse=True)
    dealt = np.random.default_rng(random_state).permutation(len(coins)) % MOST_BLOCKS
    return np.asarray(dealt[number], dtype=np.int64)


def block_weights(blocks: int, *, rounds: int = ROUNDS, random_state: int) -> NDArray[np.int64]:
    """Give how often each block is drawn in each round, int64[rounds, blocks]: every row sums to `blocks`.

    A statistic made of sums over rows needs its sums per block once; `weights @ sums` is then all rounds of it.

    >>> block_weights(4, rounds=3, random_state=1).sum(axis=1).tolist()
    [4, 4, 4]
    """
    random = np.random.default_rng(random_state)
    drawn = random.integers(0, blocks, (rounds, blocks)) + blocks * np.arange(rounds)[:, None]
    return np.bincount(drawn.ravel(), minlength=rounds * blocks).reshape(rounds, blocks)


def mean_interval(values: Floats, timestamp: Ints, coin: Ints, *, horizon_us: int, random_state: int) -> Interval:
    """Give the interval of the mean of values that are alike when they are near in time or of one coin.

    The wider one of two: from drawing blocks of time, and from drawing coins.

    Args:
        values: float64[n] without NaN, in any unit.
        timestamp: int64[n], microseconds, any order.
        coin: int64[n], any code of the coin.
        horizon_us: how far a value looks ahead, microseconds.
        random_state: seed of the draws.

    Returns:
        Bounds in the unit of the values; None for fewer than 10 blocks or 10 coins with values, with the reason. The
        two quantiles lie further out than 2.5 and 97.5 % by what Student's t asks for so few groups.

    Source:
        H. Künsch, The Jackknife and the Bootstrap for General Stationary Observations, Annals of Statistics 17, 1989,
        here with blocks that do not overlap; A. Davison and D. Hinkley, Bootstrap Methods and their Application, 1997,
        section 3.8, for whole coins; T. Hesterberg, What Teachers Should Know About the Bootstrap, The American
        Statistician 69, 2015, for the expanded percentiles.

    >>> hours, coins = np.arange(48) * 3_600_000_000, np.arange(48)
    >>> found = mean_interval(np.tile([1.0, 3.0], 24), hours, coins, horizon_us=60_000_000, random_state=1)
    >>> found.blocks, round(found.low, 1), round(found.high, 1)
    (48, 1.7, 2.3)

    """
    block_us = block_length(timestamp, horizon_us=horizon_us)
    minutes = block_us / 60_000_000
    number = block_numbers(timestamp, block_us=block_us)
    blocks, coins = int(number.max(initial=-1)) + 1, len(np.unique(coin))
    reason = None
    if blocks < FEWEST_BLOCKS:
        reason = (
            f"{len(values)} values lie in {blocks} stretches of {minutes:g} minutes; "
            f"an interval needs values in {FEWEST_BLOCKS} of them"
        )
    elif coins < FEWEST_COINS:
        reason = f"{len(values)} values are of {coins} coins; an interval needs those of {FEWEST_COINS}"
    if reason is not None:
        return Interval(low=None, high=None, blocks=blocks, block_minutes=minutes, reason=reason)
    drawn = (
        _bounds(values, groups, random_state=random_state)
        for groups in (number, coin_groups(coin, random_state=random_state))
    )
    low, high = max(drawn, key=lambda bounds: bounds[1] - bounds[0])
    return Interval(low=low, high=high, blocks=blocks, block_minutes=minutes)


def _bounds(values: Floats, number: Ints, *, random_state: int) -> tuple[float, float]:
    """Give the bounds of the mean when whole groups of values are drawn."""
    rows = np.bincount(number)
    # Products of whole numbers and floats through BLAS; integers would take numpy's slow loop.
    weights = block_weights(len(rows), random_state=random_state).astype(np.float64)
    means = (weights @ np.bincount(number, weights=values)) / (weights @ rows)
    tail = expanded_tail(len(rows))
    low, high = np.quantile(means, [tail, 1 - tail]).tolist()
    return low, high


def expanded_tail(blocks: int) -> float:
    """Give the share to cut from each side of the draws for 95 %: Φ(-t·√(B / (B - 1))), t with B - 1 degrees.

    Student's quantile comes from its expansion in 1/ν (Abramowitz and Stegun, 26.7.5).

    >>> round(expanded_tail(10), 4), round(expanded_tail(100_000), 4)
    (0.0086, 0.025)
    """
    normal, freedom = NormalDist(), blocks - 1
    z = normal.inv_cdf(0.5 + LEVEL / 2)
    student = (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
    return normal.cdf(-student * (blocks / freedom) ** 0.5)
