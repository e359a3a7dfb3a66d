"""Labels of rows, and what they amount to."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Bools, Floats, Ints
from shared.labels.targets import Target, TimeTarget


class Unresolved(IntEnum):
    """Why a row has no label."""

    RESOLVED = 0
    VALUE_MISSING = 1
    """The value at t is missing or ≤ 0."""
    LEFT_TRACKING = 2
    """The coin graduated or finished before the horizon."""
    CLOCK = 3
    """The recording clock has not reached the horizon."""
    NOT_OBSERVED = 4
    """No row of the coin at or after the horizon, where one is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What the labels of some rows amount to."""

    rows: int
    resolved: int
    positives: int
    unresolved: dict[str, int]
    """Reason (lower case name) → rows; reasons without rows are left out."""
    resolved_without_observation: int
    """Rows resolved by the recording clock alone, without a row of the coin at or after the horizon."""
    recording_resolved: int
    recording_positives: int
    observed_resolved: int
    observed_positives: int

    @property
    def base_rate(self) -> float | None:
        """Give the share of ones among the resolved rows; None without any."""
        return _share(self.positives, self.resolved)

    @property
    def recording_rate(self) -> float | None:
        """Give the share of ones when the recording clock alone resolves."""
        return _share(self.recording_positives, self.recording_resolved)

    @property
    def observed_rate(self) -> float | None:
        """Give the share of ones when a later row of the coin itself is asked for."""
        return _share(self.observed_positives, self.observed_resolved)

    @property
    def without_observation_share(self) -> float | None:
        """Give the share of rows resolved without observation among those the recording clock resolves."""
        return _share(self.resolved_without_observation, self.recording_resolved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels of rows and how they came about; all arrays have one entry a row, in the order of the rows."""

    values: Floats
    """1.0, 0.0, or NaN where unresolved."""
    recording: Floats
    """The same labels, had `label_resolution` been `recording`."""
    change_pct: Floats
    """Change in % from the row to the last value at or before the horizon, 9 decimals.

    Known wherever `recording` is, also where `observed` leaves the row unresolved: what a sale would have brought does
    not depend on whether the coin was seen again. NaN elsewhere, and for a rule.
    """
    measure: Floats
    """What was compared: change at, or furthest within, the horizon in %, or the value for a rule; NaN unresolved."""
    observed: Bools
    """The coin has a row at or after the horizon, or showed the threshold before it left tracking."""
    unresolved_reason: NDArray[np.int8]
    """An `Unresolved` for each row."""

    def readings(self, where: Bools | Ints | slice = slice(None)) -> Readings:
        """Count the labels of the chosen rows, under the resolution asked for and under both there are."""
        values, recording, observed = self.values[where], self.recording[where], self.observed[where]
        known = ~np.isnan(recording)
        reasons = np.bincount(self.unresolved_reason[where], minlength=len(Unresolved))
        return Readings(
            rows=len(values),
            resolved=int(reasons[Unresolved.RESOLVED]),
            positives=int(np.count_nonzero(values == 1)),
            unresolved={
                reason.name.lower(): int(reasons[reason]) for reason in list(Unresolved)[1:] if reasons[reason]
            },
            resolved_without_observation=int(np.count_nonzero(known & ~observed)),
            recording_resolved=int(np.count_nonzero(known)),
            recording_positives=int(np.count_nonzero(recording == 1)),
            observed_resolved=int(np.count_nonzero(known & observed)),
            observed_positives=int(np.count_nonzero(observed & (recording == 1))),
        )


def nearest_threshold(labels: Labels, target: Target, where: Bools | Ints | slice = slice(None)) -> float | None:
    """Give the threshold nearest to the target's that labels some resolved rows 1 and some 0; None when none does.

    Meant for rows of one class only. In the unit of `min_percent_change` or of `target_value`.

    >>> labels = Labels(
    ...     values=np.zeros(3),
    ...     recording=np.zeros(3),
    ...     change_pct=np.array([4.0, 12.5, 7.0]),
    ...     measure=np.array([4.0, 12.5, 7.0]),
    ...     observed=np.ones(3, np.bool_),
    ...     unresolved_reason=np.zeros(3, np.int8),
    ... )
    >>> nearest_threshold(labels, TimeTarget(target_var="price_close", future_minutes=10, min_percent_change=30))
    12.5
    """
    measure = labels.measure[where][~np.isnan(labels.values[where])]
    if isinstance(target, TimeTarget):
        upwards, asked, compare = target.direction == "up", target.min_percent_change, ">="
        candidates = np.unique(measure if upwards else -measure)
        candidates = candidates[candidates > 0]
        measure = measure if upwards else -measure
    else:
        asked, compare = target.target_value, target.operator
        candidates = np.unique(measure)
    if not len(candidates):
        return None
    lowest, highest = measure.min(), measure.max()
    # A value splits the rows when at least one passes against it and at least one does not.
    match compare:
        case ">=":
            splits = candidates > lowest
        case ">":
            splits = candidates < highest
        case "<=":
            splits = candidates < highest
        case "<":
            splits = candidates > lowest
        case _:
            splits = np.full(len(candidates), lowest < highest)
    candidates = candidates[splits]
    if not len(candidates):
        return None
    return float(candidates[np.argmin(np.abs(candidates - asked))])


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
