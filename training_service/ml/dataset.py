"""From rows to what a model is fitted on: features, answers, and what is needed to judge them."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import Bools, CoinRows, Floats, Ints
from shared.errors import JobFailed
from shared.features import FeatureSpec, Notice, build
from shared.labels import Labels, Readings, Target, TimeTarget, label, nearest_threshold
from training_service.ml.in_place import divide_in_place, reorder_in_place
from training_service.ml.nearest import ENOUGH_TO_FIT, workable_threshold

_MANY_UNSEEN = 0.2
_RATES_APART = 1 / 3
_HOLDOUT = 0.2


class OneAnswer(JobFailed):
    """Every known answer is the same."""

    def __init__(self, message: str, *, nearest: float | None, workable: float | None) -> None:
        super().__init__(message)
        self.nearest = nearest
        self.workable = workable


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The resolved rows of a window; arrays have one entry a row, sorted by time and coin."""

    answers: NDArray[np.int8]
    """0 or 1."""
    timestamp: Ints
    """Microseconds since 1970."""
    coin: Ints
    change_pct: Floats
    """Realised change of the target's column at the horizon in %; NaN for a rule target."""
    reserves_sol: Floats
    """SOL side of the bonding curve; NaN where missing."""
    observed: Bools
    """The coin was seen again at or after the horizon."""
    position: Ints
    """Row of `rows`."""
    rows: CoinRows
    """All rows that were loaded, histories and horizons included."""
    readings: Readings
    notices: tuple[Notice, ...]

    def __len__(self) -> int:
        return len(self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """The other rows of the window and phases, sorted by coin and time; live, alerts come of them just the same."""

    features: NDArray[np.float32]
    """float32[n, F], NaN = missing, no infinity."""
    timestamp: Ints
    """Microseconds since 1970."""
    coin: Ints
    change_pct: Floats
    """Change to the last value at or before the horizon in %; NaN where not even that is known."""
    reserves_sol: Floats
    """SOL side of the bonding curve; NaN where missing."""
    position: Ints
    """Row of the rows that were loaded."""

    def __len__(self) -> int:
        return len(self.timestamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(Answered):
    """The same rows with their features."""

    spec: FeatureSpec
    features: NDArray[np.float32]
    """float32[n, F], NaN = missing, no infinity."""
    unanswered: Unanswered
    """Never learnt from: they say how often a model would alert, and what that would have cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRows:
    """All rows that were loaded with their labels, and which of them a model may learn from."""

    rows: CoinRows
    labels: Labels
    target: Target
    chosen: Bools
    """Rows of the window and phases, whether their answer is known or not."""
    readings: Readings
    """Of the chosen ones."""

    @property
    def kept(self) -> Ints:
        """Give the chosen rows whose answer is known, in the order of time."""
        known = np.flatnonzero(self.chosen & ~np.isnan(self.labels.values))
        return known[np.argsort(self.rows.timestamp[known], kind="stable")]

    @property
    def others(self) -> Ints:
        """Give the chosen rows whose answer is not known."""
        return np.flatnonzero(self.chosen & np.isnan(self.labels.values))

    @property
    def reserves_sol(self) -> Floats:
        """Give the SOL side of the bonding curve of all rows, NaN where the rows do not tell it."""
        return self.rows.values.get("virtual_sol_reserves", np.full(len(self.rows), np.nan))

    def answered(self, *notices: Notice) -> Answered:
        """Give the rows whose answer is known."""
        kept, rows, labels = self.kept, self.rows, self.labels
        return Answered(
            answers=labels.values[kept].astype(np.int8),
            timestamp=rows.timestamp[kept],
            coin=rows.coin[kept],
            change_pct=labels.change_pct[kept],
            reserves_sol=self.reserves_sol[kept],
            observed=labels.observed[kept],
            position=kept,
            rows=rows,
            readings=self.readings,
            notices=(*notices, *_reading_notices(self.readings)),
        )


def label_rows(
    rows: CoinRows,
    in_window: Bools,
    *,
    target: Target,
    phases: tuple[int, ...] | None,
    clock_us: int,
    last_seen: Ints,
    untracked_phases: frozenset[int],
) -> LabelledRows:
    """Label all rows and choose those of the window and phases.

    Args:
        rows: each (coin, timestamp) once, sorted by both, from `history_needed()` rows before the window on to the
            horizon.
        in_window: bool[n], which of them lie in the window.
        target: the question.
        phases: phases whose rows are chosen; None: all. They never shorten a history.
        clock_us: the recording clock in microseconds.
        last_seen: int64[coins], newest timestamp of each coin in the whole table, microseconds.
        untracked_phases: phases in which a coin is not recorded any more.

    Raises:
        JobFailed: no row of the window lies in the phases.

    """
    chosen = in_window if phases is None else in_window & np.isin(rows.phase, phases)
    if not chosen.any():
        raise JobFailed(f"none of the {int(in_window.sum())} rows of the window lies in phases {list(phases or ())}")
    labels = label(rows, target, clock=clock_us, untracked_phases=untracked_phases, last_seen=last_seen)
    return LabelledRows(rows=rows, labels=labels, target=target, chosen=chosen, readings=labels.readings(chosen))


def refuse_one_answer(labelled: LabelledRows, *, test_size: float) -> None:
    """Raise OneAnswer unless both answers occur; name the nearest threshold with which they would.

    `test_size` is the share of the hold-out: what is learnt and calibrated on must hold both answers for itself.
    """
    readings, target = labelled.readings, labelled.target
    if readings.resolved == 0:
        reasons = ", ".join(f"{rows} {reason.replace('_', ' ')}" for reason, rows in readings.unresolved.items())
        raise JobFailed(f"none of the {readings.rows} rows of the window has a known answer: {reasons}")
    if 0 < readings.positives < readings.resolved:
        return
    kept = labelled.kept
    nearest = nearest_threshold(labelled.labels, target, kept)
    workable = workable_threshold(labelled.labels, target, kept, labelled.rows.timestamp[kept], test_size=test_size)
    name = "min_percent_change" if isinstance(target, TimeTarget) else "target_value"
    rate = f"base rate {readings.positives / readings.resolved:.0%}"
    message = f"all {readings.resolved} rows have the same answer ({rate}); "
    if nearest is None:
        message += f"no {name} would give both"
    else:
        message += f"the nearest {name} that gives both is {_exact(nearest)}"
    if workable is not None:
        message += f", the nearest that leaves {ENOUGH_TO_FIT} rows of either to learn from {_exact(workable)}"
    raise OneAnswer(message, nearest=nearest, workable=workable)


def notice_empty(names: tuple[str, ...], empty: list[bool]) -> tuple[Notice, ...]:
    """Tell of the features without any value; JobFailed when there is no other."""
    if all(empty):
        raise JobFailed("every feature is missing in every row of the window: choose other features")
    return tuple(_empty_notice(name) for name, gone in zip(names, empty, strict=True) if gone)


def add_features(labelled: LabelledRows, spec: FeatureSpec) -> Dataset:
    """Build the features; one that is missing in every row whose answer is known is dropped with a notice.

    Raises:
        JobFailed: no feature has a value.

    """
    kept = labelled.kept
    features, others = divide_in_place(build(labelled.rows, spec), np.sort(kept), labelled.others)
    # Parts of time are then parts of the matrix, which nothing needs to copy.
    reorder_in_place(features, np.searchsorted(np.sort(kept), kept))
    empty: list[bool] = [bool(np.isnan(features[:, at]).all()) for at in range(features.shape[1])]
    answered = labelled.answered(*notice_empty(spec.names, empty))
    if any(empty):
        present = np.logical_not(empty)
        features, others = np.ascontiguousarray(features[:, present]), np.ascontiguousarray(others[:, present])
    return Dataset(
        **{field.name: getattr(answered, field.name) for field in fields(Answered)},
        spec=FeatureSpec(tuple(name for name, gone in zip(spec.names, empty, strict=True) if not gone)),
        features=features,
        unanswered=_unanswered(labelled, others),
    )


def make_dataset(
    rows: CoinRows,
    in_window: Bools,
    *,
    spec: FeatureSpec,
    target: Target,
    phases: tuple[int, ...] | None,
    clock_us: int,
    last_seen: Ints,
    untracked_phases: frozenset[int],
) -> Dataset:
    """Label all rows, build their features and keep those of the window and phases; apart, where no answer is known.

    For the arguments see `label_rows`.

    Raises:
        JobFailed: no row is left, there is one answer only, or no feature has a value.

    """
    labelled = label_rows(
        rows,
        in_window,
        target=target,
        phases=phases,
        clock_us=clock_us,
        last_seen=last_seen,
        untracked_phases=untracked_phases,
    )
    refuse_one_answer(labelled, test_size=_HOLDOUT)
    return add_features(labelled, spec)


def _unanswered(labelled: LabelledRows, features: NDArray[np.float32]) -> Unanswered:
    others = labelled.others
    return Unanswered(
        features=features,
        timestamp=labelled.rows.timestamp[others],
        coin=labelled.rows.coin[others],
        change_pct=labelled.labels.change_pct[others],
        reserves_sol=labelled.reserves_sol[others],
        position=others,
    )


def _exact(number: float) -> str:
    return repr(number).removesuffix(".0")


def _empty_notice(name: str) -> Notice:
    return Notice(code="all_null_feature", message=f"{name} is missing in every row of the window and was left out")


def _reading_notices(readings: Readings) -> list[Notice]:
    """Tell when rows without a later row of their coin decide the base rate."""
    unseen, recording, observed = readings.without_observation_share, readings.recording_rate, readings.observed_rate
    if unseen is None or recording is None or observed is None or unseen <= _MANY_UNSEEN:
        return []
    if abs(recording - observed) <= _RATES_APART * max(recording, observed):
        return []
    message = (
        f"{unseen:.0%} of the answers rest on silence: the base rate is {recording:.2%} with them and {observed:.2%} "
        "where the coin was seen again; label_resolution decides which is asked"
    )
    return [Notice(code="tracking_answers", message=message)]
