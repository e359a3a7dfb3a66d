"""The answer to a target for every row, 1 or 0, or NaN while it cannot be known.

A label is known once the recording clock (the newest timestamp recorded) has reached the horizon and the coin was still
followed then. Ones and zeros wait alike: early hits counted beside unfinished misses would inflate the share of ones.

The change of the value is another matter: on its bonding curve a coin can be sold at its last price whenever, so the
silence of a coin, which `observed` takes for no answer, is no way out for whoever holds it.
"""

from dataclasses import fields, replace
from typing import assert_never

import numpy as np

from shared.coin_metrics.rows import CoinRows, Floats, Ints, cleaned
from shared.labels.horizon import Endings, furthest, last_row_until
from shared.labels.readings import Labels, Unresolved
from shared.labels.targets import COMPARE, RuleTarget, Target, TimeTarget

# 1.3 / 1.0 and 3.9e-8 / 3e-8 are both "+30 %"; the last bits of the quotients are not.
CHANGE_DECIMALS = 9


def label(
    rows: CoinRows,
    target: Target,
    *,
    clock: int,
    untracked_phases: frozenset[int],
    last_seen: Ints | None = None,
    left_at: Ints | None = None,
) -> Labels:
    """Answer the target for every row.

    Rows may come in any order; a repeat of (coin, timestamp) counts once, with the highest id, and every repeat gets
    that row's label. `clock` is the recording clock in microseconds, `untracked_phases` are those in which a coin is
    no longer followed. Where `rows` are a part of the table, `last_seen` int64[coins] is the newest timestamp of each
    coin in the whole of it, `left_at` int64[coins] that of the first row that shows the coin as no longer followed
    (`NEVER`: none). The rows must reach to the horizon or the clock, whichever is earlier. A rule target looks at the
    row alone.

    A value ≤ 0 is missing in a price column; at t itself it leaves the row unresolved in any column. Missing values
    after t are passed over: without any other the change is 0. Raises KeyError where `rows` lack the target's column
    or, for a time target, bonding_curve_pct.

    >>> rows = CoinRows(
    ...     mints=("A",),
    ...     coin=np.zeros(4, np.int64),
    ...     timestamp=np.array([0, 5, 9, 21]) * 60_000_000,
    ...     id=np.arange(4),
    ...     phase=np.ones(4, np.int64),
    ...     values={
    ...         "price_close": np.array([3e-8, 4.5e-8, 3.9e-8, 6e-8]),
    ...         "bonding_curve_pct": np.array([10.0, 20.0, 15.0, 30.0]),
    ...     },
    ... )
    >>> target = TimeTarget(target_var="price_close", future_minutes=10, min_percent_change=30)
    >>> labels = label(rows, target, clock=21 * 60_000_000, untracked_phases=frozenset())
    >>> labels.values.tolist(), labels.change_pct.round(1).tolist()
    ([1.0, 0.0, 0.0, nan], [30.0, -13.3, 0.0, nan])
    >>> seen = label(
    ...     rows, replace(target, label_resolution="observed"), clock=31 * 60_000_000, untracked_phases=frozenset()
    ... )
    >>> seen.values.tolist(), seen.change_pct.round(1).tolist()
    ([1.0, 0.0, 0.0, nan], [30.0, -13.3, 0.0, 0.0])
    """
    kept, slot = rows.unique_order()
    as_given = np.array_equal(slot, np.arange(len(kept)))
    needed = {name: rows.values[name] for name in {target.target_var, "bonding_curve_pct"} & set(rows.values)}
    ordered = rows if as_given else replace(rows, values=needed).take(kept)
    with np.errstate(all="ignore"):
        match target:
            case TimeTarget():
                endings = Endings.of(ordered, untracked_phases, left_at=left_at)
                found = _label_time(ordered, target, clock, endings, last_seen)
            case RuleTarget():
                found = _label_rule(ordered, target)
            case _:
                assert_never(target)
    if as_given:
        return found
    return Labels(**{field.name: getattr(found, field.name)[slot] for field in fields(Labels)})


def _label_rule(rows: CoinRows, target: RuleTarget) -> Labels:
    value = cleaned(target.target_var, rows.values[target.target_var])
    missing = np.isnan(value)
    answer = np.where(missing, np.nan, COMPARE[target.operator](value, target.target_value))
    return Labels(
        values=answer,
        recording=answer,
        change_pct=np.full(len(rows), np.nan),
        measure=value,
        observed=np.ones(len(rows), dtype=np.bool_),
        unresolved_reason=np.where(missing, Unresolved.VALUE_MISSING, Unresolved.RESOLVED).astype(np.int8),
    )


def _label_time(rows: CoinRows, target: TimeTarget, clock: int, endings: Endings, last_seen: Ints | None) -> Labels:
    """Label rows that are sorted by coin and time and hold no repeats."""
    due = rows.timestamp + target.horizon
    value = cleaned(target.target_var, rows.values[target.target_var])
    last_row = last_row_until(rows, target.horizon, endings.last_row)
    change = change_pct(value, value[_newest_known(value)[last_row]])
    left = endings.left_at[rows.coin] < due
    measure = change
    if target.label_mode == "within_horizon":
        # Values up to the row on which the coin leaves were seen while it was still followed. The row itself, a
        # change of 0, reaches no threshold.
        until = np.maximum(np.minimum(last_row, endings.left_row[rows.coin]), np.arange(len(rows)))
        measure = change_pct(value, furthest(value, until, target.direction))
    hit = measure >= target.min_percent_change if target.direction == "up" else measure <= -target.min_percent_change

    seen = left & hit if target.label_mode == "within_horizon" else np.zeros(len(rows), dtype=np.bool_)
    newest = endings.last_seen if last_seen is None else np.maximum(endings.last_seen, last_seen)
    observed = (newest[rows.coin] >= due) | seen
    reason = np.full(len(rows), Unresolved.RESOLVED, dtype=np.int8)
    reason[due > clock] = Unresolved.CLOCK
    reason[left & ~seen] = Unresolved.LEFT_TRACKING
    reason[~(value > 0)] = Unresolved.VALUE_MISSING
    recording = np.where(reason == Unresolved.RESOLVED, hit, np.nan)
    if target.label_resolution == "observed":
        reason[(reason == Unresolved.RESOLVED) & ~observed] = Unresolved.NOT_OBSERVED
    resolved = reason == Unresolved.RESOLVED
    return Labels(
        values=np.where(resolved, recording, np.nan),
        recording=recording,
        change_pct=np.where(np.isnan(recording), np.nan, change),
        measure=np.where(resolved, measure, np.nan),
        observed=observed,
        unresolved_reason=reason,
    )


def _newest_known(value: Floats) -> Ints:
    """Give for each row the last row up to it whose value is known; only asked of rows after one that is."""
    return np.maximum.accumulate(np.where(np.isnan(value), 0, np.arange(len(value))))


def change_pct(now: Floats, then: Floats) -> Floats:
    """Give the change in %, 9 decimals."""
    return np.round((then / now - 1.0) * 100.0, CHANGE_DECIMALS)
