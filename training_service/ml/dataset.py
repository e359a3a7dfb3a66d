"""From rows to what a model is fitted on: features, answers, and what is needed to judge them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import CoinRows, Floats, Ints
from shared.errors import JobFailed
from shared.features import FeatureSpec, Notice, build
from shared.labels import Labels, Readings, Target, TimeTarget, label, nearest_threshold

_MANY_UNSEEN = 0.2
_RATES_APART = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The resolved rows of a window; arrays have one entry a row, sorted by coin and time."""

    spec: FeatureSpec
    features: NDArray[np.float32]
    """float32[n, F], NaN = missing, no infinity."""
    answers: NDArray[np.int8]
    """0 or 1."""
    timestamp: Ints
    """Microseconds since 1970."""
    coin: Ints
    change_pct: Floats
    """Realised change of the target's column at the horizon in %; NaN for a rule target."""
    reserves_sol: Floats
    """SOL side of the bonding curve; NaN where missing."""
    position: Ints
    """Row of `rows`."""
    rows: CoinRows
    """All rows that were loaded, histories and horizons included."""
    readings: Readings
    notices: tuple[Notice, ...]

    def __len__(self) -> int:
        return len(self.answers)


def make_dataset(
    rows: CoinRows,
    in_window: NDArray[np.bool_],
    *,
    spec: FeatureSpec,
    target: Target,
    phases: tuple[int, ...] | None,
    clock_us: int,
    last_seen: Ints,
    untracked_phases: frozenset[int],
) -> Dataset:
    """Label all rows, build their features and keep those of the window and phases whose answer is known.

    Args:
        rows: each (coin, timestamp) once, sorted by both, from `history_needed()` rows before the window on to the
            horizon.
        in_window: bool[n], which of them lie in the window.
        spec: the features asked for; one that is missing in every row is dropped with a notice.
        target: the question.
        phases: phases whose rows are kept; None: all. They never shorten a history.
        clock_us: the recording clock in microseconds.
        last_seen: int64[coins], newest timestamp of each coin in the whole table, microseconds.
        untracked_phases: phases in which a coin is not recorded any more.

    Raises:
        JobFailed: no row is left, there is one answer only, or no feature has a value.

    """
    labels = label(rows, target, clock=clock_us, untracked_phases=untracked_phases, last_seen=last_seen)
    chosen = in_window if phases is None else in_window & np.isin(rows.phase, phases)
    if not chosen.any():
        raise JobFailed(f"none of the {int(in_window.sum())} rows of the window lies in phases {list(phases or ())}")
    readings = labels.readings(chosen)
    _refuse_one_answer(labels, target, chosen, readings)
    kept = np.flatnonzero(chosen & ~np.isnan(labels.values))
    features = build(rows, spec)[kept]
    empty: list[bool] = np.all(np.isnan(features), axis=0).tolist()
    if all(empty):
        raise JobFailed("every feature is missing in every row of the window: choose other features")
    notices = [_empty_notice(name) for name, gone in zip(spec.names, empty, strict=True) if gone]
    reserves = rows.values.get("virtual_sol_reserves", np.full(len(rows), np.nan))
    return Dataset(
        spec=FeatureSpec(tuple(name for name, gone in zip(spec.names, empty, strict=True) if not gone)),
        features=np.ascontiguousarray(features[:, np.logical_not(empty)]),
        answers=labels.values[kept].astype(np.int8),
        timestamp=rows.timestamp[kept],
        coin=rows.coin[kept],
        change_pct=labels.change_pct[kept],
        reserves_sol=reserves[kept],
        position=kept,
        rows=rows,
        readings=readings,
        notices=(*notices, *_reading_notices(readings)),
    )


def _refuse_one_answer(labels: Labels, target: Target, chosen: NDArray[np.bool_], readings: Readings) -> None:
    if readings.resolved == 0:
        reasons = ", ".join(f"{rows} {reason.replace('_', ' ')}" for reason, rows in readings.unresolved.items())
        raise JobFailed(f"none of the {readings.rows} rows of the window has a known answer: {reasons}")
    if 0 < readings.positives < readings.resolved:
        return
    nearest = nearest_threshold(labels, target, chosen)
    name = "min_percent_change" if isinstance(target, TimeTarget) else "target_value"
    hint = f"no {name} would give both" if nearest is None else f"the nearest {name} that gives both is {nearest:.6g}"
    rate = f"base rate {readings.positives / readings.resolved:.0%}"
    raise JobFailed(f"all {readings.resolved} rows have the same answer ({rate}); {hint}")


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
