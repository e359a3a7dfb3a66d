"""Coins divided among workers: eight shards by a hash of the coin, each with one worker that answers its rows."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from shared.coin_metrics.rows import Ints

SHARDS = 8
ALL = frozenset(range(SHARDS))


def shard_of(mint: str) -> int:
    """Give the shard of a coin.

    >>> shard_of("So11111111111111111111111111111111111111112")
    4

    """
    return crc32(mint.encode()) % SHARDS


def shards_of(mints: Sequence[str]) -> Ints:
    """Give the shard of each coin."""
    return np.fromiter((crc32(mint.encode()) % SHARDS for mint in mints), np.int64, len(mints))


def fair_share(workers: int) -> int:
    """Give how many shards each of so many workers holds at most.

    >>> [fair_share(workers) for workers in (1, 2, 3, 8, 9)]
    [8, 4, 3, 1, 1]

    """
    return -(-SHARDS // max(1, workers))
