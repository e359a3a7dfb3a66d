"""Cut rows by time, so that nothing a model learns from reaches into what it is measured on."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Rows before and after a moment."""

    before: Index
    """Rows whose label is known at the cut: timestamp + horizon ≤ cut."""
    after: Index
    """Rows strictly later than the cut."""
    purged: int
    """Rows up to the cut whose horizon reaches past it."""
    cut_us: int
    """The moment, in microseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Three parts in order of time; the label of every row of a part is known before the next part starts."""

    fit: Index
    calibration: Index
    holdout: Index
    purged: int
    """Rows left out because their horizon reaches into the next part."""
    calibration_us: int
    """Last moment of the fitting part."""
    calibration_end_us: int
    """Last moment of a calibrating row: later ones look past `holdout_us`."""
    holdout_us: int
    """Last moment of the calibration part."""


def cut_at(timestamp: NDArray[np.int64], rows: Index, *, cut_us: int, horizon_us: int) -> Cut:
    """Divide `rows` (positions in `timestamp`, int64[n], microseconds) at a moment.

    A row of the first part uses data up to timestamp + horizon_us, a row of the second is strictly later than cut_us.

    >>> cut = cut_at(np.array([0, 10, 20, 30]), np.arange(4), cut_us=20, horizon_us=10)
    >>> cut.before.tolist(), cut.after.tolist(), cut.purged
    ([0, 1], [3], 1)

    """
    times = timestamp[rows]
    known = times <= cut_us - horizon_us
    after = times > cut_us
    return Cut(before=rows[known], after=rows[after], purged=int((~known & ~after).sum()), cut_us=cut_us)


def moment_before_last(timestamp: NDArray[np.int64], share: float) -> int:
    """Give the latest moment that leaves at least about `share` of the rows (0..1) after it.

    All rows of one moment stay on one side, so the share is met as nearly as the ticks allow.

    >>> moment_before_last(np.array([1, 2, 3, 4, 5]), 0.4)
    3

    """
    ordered = np.sort(timestamp)
    return int(ordered[max(len(ordered) - 1 - round(len(ordered) * share), 0)])


def split_by_time(
    timestamp: NDArray[np.int64], *, test_size: float, horizon_us: int, calibration_size: float = 0.2
) -> Split:
    """Cut off the last `test_size` of the rows as hold-out, and of the purged rest the last `calibration_size`.

    Args:
        timestamp: int64[n], microseconds, any order.
        test_size: share 0..1 of all rows.
        horizon_us: how far a label looks ahead, microseconds; 0 when it does not.
        calibration_size: share 0..1 of what is left before the hold-out.

    Returns:
        Positions in `timestamp`; a part may be empty, which the caller has to refuse.

    """
    everything = np.arange(len(timestamp))
    if len(timestamp) == 0:
        return Split(
            fit=everything, calibration=everything, holdout=everything, purged=0, calibration_us=0,
            calibration_end_us=0, holdout_us=0,
        )  # fmt: skip
    late = cut_at(timestamp, everything, cut_us=moment_before_last(timestamp, test_size), horizon_us=horizon_us)
    if len(late.before) == 0:
        return Split(
            fit=late.before, calibration=late.before, holdout=late.after, purged=late.purged,
            calibration_us=late.cut_us, calibration_end_us=late.cut_us - horizon_us, holdout_us=late.cut_us,
        )  # fmt: skip
    cut_us = moment_before_last(timestamp[late.before], calibration_size)
    early = cut_at(timestamp, late.before, cut_us=cut_us, horizon_us=horizon_us)
    return Split(
        fit=early.before,
        calibration=early.after,
        holdout=late.after,
        purged=late.purged + early.purged,
        calibration_us=cut_us,
        calibration_end_us=late.cut_us - horizon_us,
        holdout_us=late.cut_us,
    )


def walk_forward(timestamp: NDArray[np.int64], rows: Index, *, folds: int, horizon_us: int) -> list[Cut]:
    """Give `folds` growing pasts, each with the stretch that follows it, purged in time.

    The rows are divided into folds + 1 stretches of about equal size; fold i learns from the first i stretches and is
    measured on the next one. Folds with an empty side are left out.

    >>> [(len(cut.before), len(cut.after)) for cut in walk_forward(np.arange(40), np.arange(40), folds=3, horizon_us=2)]
    [(8, 10), (18, 10), (28, 10)]

    """
    ordered = np.sort(timestamp[rows])
    edges = [int(ordered[round(len(ordered) * part / (folds + 1)) - 1]) for part in range(1, folds + 2)]
    cuts = []
    for cut_us, end_us in itertools.pairwise(edges):
        present = rows[timestamp[rows] <= end_us]
        cut = cut_at(timestamp, present, cut_us=cut_us, horizon_us=horizon_us)
        if len(cut.before) and len(cut.after):
            cuts.append(cut)
    return cuts
