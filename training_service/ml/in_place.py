"""Rows of a matrix chosen without a second matrix."""

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Ints

_ROWS_AT_ONCE = 16_384


def divide_in_place(
    features: NDArray[np.float32], kept: Ints, others: Ints
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give two choices of rows (rising positions, none in both) as parts of the same memory, which is overwritten.

    A second matrix beside the first would be the highest peak of a training; this takes half of one at most.

    >>> rows = np.arange(10, dtype=np.float32).reshape(5, 2)
    >>> [part[:, 0].tolist() for part in divide_in_place(rows, np.array([1, 2, 4]), np.array([0]))]
    [[2.0, 4.0, 8.0], [0.0]]
    """
    more, fewer = (kept, others) if len(kept) >= len(others) else (others, kept)
    aside = features[fewer]
    # Rows only move forward, so none is overwritten before it was read.
    for begin in range(0, len(more), _ROWS_AT_ONCE):
        part = more[begin : begin + _ROWS_AT_ONCE]
        features[begin : begin + len(part)] = features[part]
    features[len(more) : len(more) + len(fewer)] = aside
    first, second = features[: len(more)], features[len(more) : len(more) + len(fewer)]
    return (first, second) if more is kept else (second, first)
