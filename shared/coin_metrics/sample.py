"""A share of the coins, the same one on any server: whole coins, chosen by a hash of the mint and a seed."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HASHES = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinSample:
    """Which coins are taken: those whose hash falls below the share."""

    share: float
    """0 exclusive to 1; 1 takes all."""
    random_state: int
    """Another one takes other coins."""

    @property
    def takes_all(self) -> bool:
        """Tell whether no coin is left out."""
        return self.share >= 1

    @property
    def hash_sql(self) -> str:
        """Give the SQL of a coin's hash, eight hexadecimal digits; md5 is equal on all versions of PostgreSQL."""
        return f"substr(md5('{self.random_state}:' || mint), 1, 8) COLLATE \"C\""

    @property
    def condition_sql(self) -> str:
        """Give the SQL that tells whether a coin is taken."""
        return "true" if self.takes_all else f"{self.hash_sql} < '{_bound(self.share):08x}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What a sample left of a window."""

    share: float
    kept: int
    """Coins."""
    present: int
    """Coins of the window before."""


def fitting_share(hashes: NDArray[np.int64], rows: NDArray[np.int64], max_rows: int) -> float | None:
    """Give the largest share of two digits whose coins together have at most `max_rows` rows; None without any coin.

    `hashes` int64[coins], 0 to 2³² - 1, and `rows` int64[coins], any order.

    >>> quarter = 1 << 30
    >>> fitting_share(np.array([0, 1, 2, 3]) * quarter + 5, np.array([10, 10, 10, 10]), 25)
    0.5
    >>> fitting_share(np.array([5]), np.array([10]), 9) is None
    True
    """
    order = np.argsort(hashes)
    ordered = hashes[order]
    fitting = int(np.searchsorted(np.cumsum(rows[order]), max_rows, side="right"))
    if fitting == len(ordered):
        return 1.0
    share = _rounded_down(int(ordered[fitting]) / _HASHES)
    return share if np.any(ordered < _bound(share)) else None


def _bound(share: float) -> int:
    return int(share * _HASHES)


def _rounded_down(share: float) -> float:
    if share <= 0:
        return 0.0
    scale = 10.0 ** (1 - math.floor(math.log10(share)))
    return math.floor(share * scale) / scale
