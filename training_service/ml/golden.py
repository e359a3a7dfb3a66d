"""What goes into a model file beside the model: windows that prove it, histograms that tell drift."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.artifact import Scorer, golden_features
from shared.contracts.artifact import GoldenWindow, Histogram
from shared.scoring import histogram_counts, histogram_edges
from training_service.ml.dataset import Dataset
from training_service.ml.split import Index

WINDOWS = 12
HOLED_WINDOWS = 4
SAMPLED_ROWS = 100_000
_HOLE_SHARE = 0.3


def golden_windows(data: Dataset, holdout: Index, scorer: Scorer, *, random_state: int) -> tuple[GoldenWindow, ...]:
    """Give 12 windows of raw rows with the features and the probability of their last row; 4 have holes."""
    return answer_windows(draw_windows(data, holdout, random_state=random_state), scorer)


def draw_windows(data: Dataset, holdout: Index, *, random_state: int) -> tuple[GoldenWindow, ...]:
    """Give windows whose probability is still open.

    The features of the whole ones are those the model is measured on; those of the others are computed as in serving.
    """
    random = np.random.default_rng(random_state)
    chosen = holdout[np.linspace(0, len(holdout) - 1, WINDOWS).astype(np.int64)]
    windows = []
    for number, row in enumerate(chosen.tolist()):
        start, end = _window(data, row)
        holes = np.zeros((len(data.spec.base_columns), end - start), np.bool_)
        if number >= WINDOWS - HOLED_WINDOWS:
            holes = random.random(holes.shape) < _HOLE_SHARE
            holes[number % len(holes), -1] = True
        columns = {
            name: _cells(np.where(hole, np.nan, data.rows.values[name][start:end]))
            for name, hole in zip(data.spec.base_columns, holes, strict=True)
        }
        draft = GoldenWindow(
            timestamps=tuple(data.rows.timestamp[start:end].tolist()), columns=columns, features=(), probability=0.0
        )
        features = golden_features(draft, data.spec) if holes.any() else data.features[row]
        windows.append(draft.model_copy(update={"features": _cells(features)}))
    return tuple(windows)


def answer_windows(windows: Sequence[GoldenWindow], scorer: Scorer) -> tuple[GoldenWindow, ...]:
    """Give the windows with what a model says of each."""
    return tuple(
        window.model_copy(
            update={"probability": float(scorer.probabilities(np.array([window.features], np.float32))[0])}
        )
        for window in windows
    )


def histograms(data: Dataset, rows: Index) -> dict[str, Histogram]:
    """Give the distribution of each feature over the time a model learnt from, or over an even sample of its rows.

    Rows without an answer are among them: live, nobody knows which ones will have none, and all are compared with this.
    """
    rest = data.unanswered
    others = np.flatnonzero(rest.timestamp <= data.timestamp[rows].max(initial=-(2**63)))
    step = -(-(len(rows) + len(others)) // SAMPLED_ROWS) or 1
    sampled = np.concatenate([data.features[rows[::step]], rest.features[others[::step]]])
    columns = np.ascontiguousarray(sampled.T)
    return {name: histogram_of(values) for name, values in zip(data.spec.names, columns, strict=True)}


def histogram_of(values: NDArray[np.floating[Any]]) -> Histogram:
    """Give the distribution of values; NaN are missing."""
    edges = histogram_edges(values)
    counts, missing = histogram_counts(values, edges)
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), missing=missing)


def _window(data: Dataset, row: int) -> tuple[int, int]:
    end = int(data.position[row]) + 1
    first = int(np.searchsorted(data.rows.coin, data.rows.coin[end - 1]))
    return max(first, end - data.spec.history_needed()), end


def _cells(values: NDArray[np.floating[Any]]) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)
