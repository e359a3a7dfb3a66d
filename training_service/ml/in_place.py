"""Rows of a matrix chosen and ordered without a second matrix."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Ints

T = TypeVar("T", bound=np.generic)

_ROWS_AT_ONCE = 16_384
_COLUMNS_AT_ONCE = 8


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


def reorder_in_place(features: NDArray[np.float32], order: Ints) -> None:
    """Put the rows into an order: row i becomes what row order[i] was; some columns at a time.

    >>> rows = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)
    >>> reorder_in_place(rows, np.array([2, 0, 1]))
    >>> rows.tolist()
    [[5.0, 6.0], [1.0, 2.0], [3.0, 4.0]]
    """
    for begin in range(0, features.shape[1], _COLUMNS_AT_ONCE):
        columns = slice(begin, begin + _COLUMNS_AT_ONCE)
        features[:, columns] = features[:, columns][order]


def rows_of(array: NDArray[T], index: Ints) -> NDArray[T]:
    """Give the rows of an array: as a part of it where they lie together, else as a copy.

    >>> times = np.array([1, 2, 3, 4])
    >>> rows_of(times, np.array([1, 2])).base is times, rows_of(times, np.array([1, 3])).tolist()
    (True, [2, 4])
    """
    if len(index) and index[-1] - index[0] + 1 == len(index) and bool((np.diff(index) == 1).all()):
        return array[index[0] : index[-1] + 1]
    return array[index]
