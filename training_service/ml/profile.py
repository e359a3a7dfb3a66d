"""What the rows look like that a model is made of: each feature, and each stretch of the window."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Floats, Ints
from shared.labels import Readings
from training_service.ml.dataset import Dataset
from training_service.ml.periods import cut_periods

BINS = 20
# Sorting every row of 35 features takes longer than reading them from the database.
SAMPLED_ROWS = 100_000
_TOGETHER = 4
_QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureProfile:
    """How one feature is spread; None where no row has a value."""

    missing_share: float
    mean: float | None
    std: float | None
    """Standard deviation, ddof 0."""
    min: float | None
    q01: float | None
    q25: float | None
    median: float | None
    q75: float | None
    q99: float | None
    max: float | None
    edges: tuple[float, ...]
    """Edges of equal bins between the 1 % and the 99 % quantile."""
    counts: tuple[int, ...]
    """Sampled rows in each bin; what lies outside counts in the outer ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodProfile:
    """The rows of one stretch of the clock."""

    start: datetime
    minutes: int
    """Length of the stretch."""
    rows: int
    coins: int
    base_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseProfile:
    """The rows of one phase."""

    phase: int | None
    """None: the rows have no phase."""
    rows: int
    base_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All rows whose answer is known."""

    rows: int
    coins: int
    sampled_rows: int
    """Rows that quantiles and histograms are made of, evenly spaced over coins and time; all else is of every row."""
    features: dict[str, FeatureProfile]
    periods: tuple[PeriodProfile, ...]
    phases: tuple[PhaseProfile, ...]
    readings: dict[str, object]
    """Counts of labels under both resolutions, and their base rates."""


def profile(data: Dataset) -> Profile:
    """Describe a dataset."""
    every = max(-(-len(data) // SAMPLED_ROWS), 1)
    return Profile(
        rows=len(data),
        coins=len(np.unique(data.coin)),
        sampled_rows=-(-len(data) // every),
        features={name: profile_feature(values, every=every) for name, values in _columns(data)},
        periods=_periods(data),
        phases=_phases(data),
        readings=tell_readings(data.readings),
    )


def _columns(data: Dataset) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Give one column after the other, some at a time: all of them would be another matrix."""
    for start in range(0, len(data.spec.names), _TOGETHER):
        block = np.ascontiguousarray(data.features[:, start : start + _TOGETHER].T)
        yield from zip(data.spec.names[start : start + _TOGETHER], block, strict=True)


def profile_feature(values: NDArray[np.float32], *, every: int = 1) -> FeatureProfile:
    """Describe float32[n] values; NaN: missing; quantiles and histogram of every so many of them.

    >>> found = profile_feature(np.array([1, 2, 3, 4, np.nan], np.float32))
    >>> found.missing_share, found.mean, found.median, found.max, sum(found.counts)
    (0.2, 2.5, 2.5, 4.0, 4)
    """
    present = ~np.isnan(values)
    all_known = values[present]
    known = np.sort(values[::every])
    known = known[: int(np.count_nonzero(present[::every]))]
    if not len(known):
        known = np.sort(all_known)
    missing = (len(values) - len(all_known)) / max(len(values), 1)
    if not len(known):
        return FeatureProfile(
            missing_share=missing, mean=None, std=None, min=None, q01=None, q25=None, median=None, q75=None, q99=None,
            max=None, edges=(), counts=(),
        )  # fmt: skip
    q01, q25, median, q75, q99 = _quantiles(known)
    edges = np.linspace(q01, q99, BINS + 1) if q99 > q01 else np.array([q01, q99])
    # Values are sorted: how many lie below an edge is where it would be put.
    inner = np.searchsorted(known, edges[1:-1].astype(np.float32), side="left")
    return FeatureProfile(
        missing_share=missing,
        mean=float(all_known.mean(dtype=np.float64)),
        std=float(all_known.std(dtype=np.float64)),
        min=float(all_known.min()),
        q01=q01,
        q25=q25,
        median=median,
        q75=q75,
        q99=q99,
        max=float(all_known.max()),
        edges=tuple(edges.tolist()),
        counts=tuple(np.diff(inner, prepend=0, append=len(known)).tolist()),
    )


def tell_readings(readings: Readings) -> dict[str, object]:
    """Give counts and rates of the labels as they are stored."""
    return {
        **asdict(readings),
        "base_rate": readings.base_rate,
        "recording_rate": readings.recording_rate,
        "observed_rate": readings.observed_rate,
        "without_observation_share": readings.without_observation_share,
    }


def _quantiles(ordered: NDArray[np.float32]) -> list[float]:
    """Give quantiles of sorted values, between two of them in proportion."""
    place = np.array(_QUANTILES) * (len(ordered) - 1)
    below = place.astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    low, high = ordered[below].astype(np.float64), ordered[above].astype(np.float64)
    result: list[float] = (low + (high - low) * (place - below)).tolist()
    return result


def _periods(data: Dataset) -> tuple[PeriodProfile, ...]:
    periods = cut_periods(data.timestamp)
    rows, ones = _rows_and_ones(periods.number, data.answers)
    coins = _distinct(periods.number, data.coin, groups=len(periods))
    return tuple(
        PeriodProfile(
            start=periods.start(number),
            minutes=periods.minutes,
            rows=int(rows[number]),
            coins=int(coins[number]),
            base_rate=float(ones[number] / rows[number]),
        )
        for number in range(len(periods))
    )


def _phases(data: Dataset) -> tuple[PhaseProfile, ...]:
    phases, number = np.unique(data.rows.phase[data.position], return_inverse=True)
    rows, ones = _rows_and_ones(number, data.answers)
    return tuple(
        PhaseProfile(phase=phase if phase >= 0 else None, rows=int(rows[at]), base_rate=float(ones[at] / rows[at]))
        for at, phase in enumerate(phases.tolist())
    )


def _rows_and_ones(number: Ints, answers: NDArray[np.int8]) -> tuple[Ints, Floats]:
    return np.bincount(number), np.asarray(np.bincount(number, weights=answers), np.float64)


def _distinct(number: Ints, coin: Ints, *, groups: int) -> Ints:
    """Count the different coins of each group."""
    pairs = np.unique(number * (int(coin.max()) + 1) + coin)
    return np.bincount(pairs // (int(coin.max()) + 1), minlength=groups)
