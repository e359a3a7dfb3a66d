"""How values are spread."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Floats, Ints


def histogram_edges(values: NDArray[np.floating[Any]], *, bins: int = 10) -> Floats:
    """Give rising edges float64[≤ bins + 1] that part the known values into about equally many; NaN are left out.

    A value that alone fills more than a bin has one to itself, up to the next value: a column that is nearly always 0
    has a bin of zeros. A highest value with a bin to itself stands twice, as the start and the end of that bin; so does
    one value alone. No known value: no edges.

    >>> histogram_edges(np.array([1.0, 2.0, 2.0, 2.0, 9.0, np.nan]), bins=2).tolist()
    [1.0, 2.0, 9.0]
    >>> histogram_edges(np.array([0.0] * 30 + [0.5, 3.0])).tolist(), histogram_edges(np.array([0.0, 0.0, 1.0])).tolist()
    ([0.0, 0.5, 3.0], [0.0, 1.0, 1.0])
    """
    known = np.sort(values[~np.isnan(values)].astype(np.float64))
    if not len(known):
        return np.empty(0)
    starts = np.quantile(known, np.arange(bins) / bins, method="inverted_cdf")
    crowded = starts[1:][starts[1:] == starts[:-1]]
    following = np.searchsorted(known, crowded, side="right")
    following = following[following < len(known)]
    return np.append(np.unique(np.concatenate([starts, known[following]])), known[-1])


def histogram_counts(values: NDArray[np.floating[Any]], edges: Sequence[float] | Floats) -> tuple[Ints, int]:
    """Count the values between the edges, int64[edges - 1], and the missing ones.

    A value on an edge counts above it, the last edge excepted; values beyond the outer edges count in the outer bins.

    >>> counts, missing = histogram_counts(np.array([-5.0, 1.0, 2.0, 9.0, np.nan]), [1.0, 2.0, 9.0])
    >>> counts.tolist(), missing
    ([2, 2], 1)
    """
    known = values[~np.isnan(values)]
    missing = len(values) - len(known)
    if not len(edges):
        return np.zeros(0, dtype=np.int64), missing
    place = np.searchsorted(np.asarray(edges[1:-1]), known, side="right")
    return np.bincount(place, minlength=len(edges) - 1).astype(np.int64), missing
