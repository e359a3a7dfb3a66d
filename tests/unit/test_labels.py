"""Labels against the rules written out for one row at a time, and the cases people ask about."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coin_metrics.columns import PRICE_COLUMNS
from shared.coin_metrics.rows import CoinRows
from shared.errors import Invalid
from shared.labels import RuleTarget, TimeTarget, Unresolved, label
from tests.support.market_rows import MINUTE, SECOND, START, coin_rows, one_coin

UNTRACKED = frozenset({99, 100})
nan = math.nan


def clean(name: str, value: float) -> float:
    return nan if not math.isfinite(value) or (name in PRICE_COLUMNS and value <= 0) else value


def change(then: float, now: float) -> float:
    return round((now / then - 1) * 100, 9)


def slow_label(
    rows: CoinRows, row: int, target: TimeTarget, *, clock: int, last_seen: np.ndarray | None
) -> tuple[float, Unresolved]:
    """Answer for one row by walking over the rows of its coin."""
    own: dict[int, int] = {}
    for other in np.argsort(rows.id):
        if rows.coin[other] == rows.coin[row]:
            own[int(rows.timestamp[other])] = int(other)
    t = int(rows.timestamp[row])
    due = t + target.future_minutes * MINUTE
    value_at = {then: clean(target.target_var, float(rows.values[target.target_var][own[then]])) for then in own}
    start = value_at[t]
    if not start > 0:
        return nan, Unresolved.VALUE_MISSING
    leaving = [
        then
        for then in own
        if rows.phase[own[then]] in UNTRACKED or rows.values["bonding_curve_pct"][own[then]] >= 99.5
    ]
    left = min(leaving, default=math.inf)
    sign = 1 if target.direction == "up" else -1
    later = [then for then in sorted(own) if t < then <= due and not math.isnan(value_at[then])]

    def hits(then: int) -> bool:
        return sign * change(start, value_at[then]) >= target.min_percent_change

    shown = target.label_mode == "within_horizon" and any(hits(then) for then in later if then <= left)
    if left < due and not shown:
        return nan, Unresolved.LEFT_TRACKING
    if clock < due:
        return nan, Unresolved.CLOCK
    newest = max(own) if last_seen is None else max(*own, int(last_seen[rows.coin[row]]))
    if target.label_resolution == "observed" and newest < due and left >= due:
        return nan, Unresolved.NOT_OBSERVED
    answer = shown if target.label_mode == "within_horizon" else bool(later) and hits(later[-1])
    return float(answer), Unresolved.RESOLVED


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("label_mode", ["at_horizon", "within_horizon"])
@pytest.mark.parametrize("label_resolution", ["recording", "observed"])
@given(data=st.data())
def test_label_when_rows_are_ugly_then_equals_the_rules(
    direction: str, label_mode: str, label_resolution: str, data: st.DataObject
) -> None:
    target = TimeTarget(
        target_var=data.draw(st.sampled_from(["price_close", "volume_sol"])),
        future_minutes=data.draw(st.sampled_from([1, 2, 10, 360, 10_000])),
        min_percent_change=data.draw(st.sampled_from([0.001, 5, 30, 100, 400])),
        direction=direction,
        label_mode=label_mode,
        label_resolution=label_resolution,
    )
    rows = data.draw(coin_rows(columns=(target.target_var, "bonding_curve_pct")))
    clock = int(rows.timestamp.max()) + data.draw(st.sampled_from([-MINUTE, 0, 90 * SECOND, 10**12]))
    last_seen = None
    if data.draw(st.booleans()):
        ahead = data.draw(st.lists(st.sampled_from([0, MINUTE, 10**12]), min_size=3, max_size=3))
        last_seen = int(rows.timestamp.max()) + np.array(ahead[: len(rows.mints)])
    found = label(rows, target, clock=clock, untracked_phases=UNTRACKED, last_seen=last_seen)
    expected = [slow_label(rows, row, target, clock=clock, last_seen=last_seen) for row in range(len(rows))]
    assert [Unresolved(reason) for reason in found.unresolved_reason] == [reason for _, reason in expected]
    np.testing.assert_array_equal(found.values, [value for value, _ in expected])


@given(coin_rows(columns=("price_close", "bonding_curve_pct")), st.integers(0, 29), st.booleans())
def test_label_when_more_rows_arrive_then_resolved_ones_stay(rows: CoinRows, at: int, within: bool) -> None:
    target = TimeTarget(
        target_var="price_close",
        future_minutes=10,
        min_percent_change=30,
        label_mode="within_horizon" if within else "at_horizon",
    )
    clock = int(rows.timestamp[at % len(rows)])
    early = rows.timestamp <= clock
    now = label(rows.take(early), target, clock=clock, untracked_phases=UNTRACKED)
    later = label(rows, target, clock=int(rows.timestamp.max()), untracked_phases=UNTRACKED)
    resolved = ~np.isnan(now.values)
    np.testing.assert_array_equal(now.values[resolved], later.values[early][resolved])
    np.testing.assert_array_equal(now.change_pct[resolved], later.change_pct[early][resolved])


def rise(**changes: object) -> TimeTarget:
    settings = {"target_var": "price_close", "future_minutes": 10, "min_percent_change": 30.0} | changes
    return TimeTarget(**settings)


def answers(rows: CoinRows, target: TimeTarget, *, clock_minutes: int, **known: object) -> list[float]:
    found = label(rows, target, clock=START + clock_minutes * MINUTE, untracked_phases=UNTRACKED, **known)
    return found.values.tolist()


def at_minutes(*minutes: float) -> list[int]:
    return [int(START + minute * MINUTE) for minute in minutes]


@pytest.mark.parametrize("price", [3e-8, 2.7e-8, 7.1e-9, 1.0, 0.1, 123.456])
def test_label_when_price_rises_by_exactly_the_threshold_then_one(price: float) -> None:
    rows = one_coin(at_minutes(0, 10), price_close=[price, price * 1.3])
    assert answers(rows, rise(), clock_minutes=10)[0] == 1
    fallen = one_coin(at_minutes(0, 10), price_close=[price, price * 0.7])
    assert answers(fallen, rise(direction="down"), clock_minutes=10)[0] == 1


def test_label_when_a_spike_ends_before_the_horizon_then_only_within_sees_it() -> None:
    rows = one_coin(at_minutes(0, 3, 9, 12), price_close=[1e-8, 2e-8, 1e-8, 1e-8])
    assert answers(rows, rise(), clock_minutes=12)[0] == 0
    assert answers(rows, rise(label_mode="within_horizon"), clock_minutes=12)[0] == 1


def test_label_when_the_clock_has_not_reached_the_horizon_then_early_hits_wait_too() -> None:
    rows = one_coin(at_minutes(0, 3), price_close=[1e-8, 2e-8])
    assert math.isnan(answers(rows, rise(label_mode="within_horizon"), clock_minutes=9)[0])
    assert answers(rows, rise(label_mode="within_horizon"), clock_minutes=10)[0] == 1


def test_label_when_the_coin_falls_silent_then_zero_unless_observation_is_asked_for() -> None:
    rows = one_coin(at_minutes(0, 3), price_close=[1e-8, 1.1e-8])
    assert answers(rows, rise(), clock_minutes=30)[0] == 0
    assert math.isnan(answers(rows, rise(label_resolution="observed"), clock_minutes=30)[0])
    seen = np.array(at_minutes(10))
    assert answers(rows, rise(label_resolution="observed"), clock_minutes=30, last_seen=seen)[0] == 0


@pytest.mark.parametrize("label_mode", ["at_horizon", "within_horizon"])
@given(coin_rows(columns=("price_close", "bonding_curve_pct")), st.integers(0, 90))
def test_change_when_observation_is_asked_for_then_as_without(label_mode: str, rows: CoinRows, later: int) -> None:
    clock = int(rows.timestamp.max()) + later * MINUTE
    recording, observed = (
        label(rows, rise(label_mode=label_mode, label_resolution=resolution), clock=clock, untracked_phases=UNTRACKED)
        for resolution in ("recording", "observed")
    )
    np.testing.assert_array_equal(observed.change_pct, recording.change_pct)
    np.testing.assert_array_equal(np.isnan(recording.change_pct), np.isnan(recording.values))


def test_change_when_the_coin_falls_silent_then_that_to_its_last_price() -> None:
    rows = one_coin(at_minutes(0, 3), price_close=[1e-8, 0.4e-8])
    target = rise(label_resolution="observed")
    found = label(rows, target, clock=START + 13 * MINUTE, untracked_phases=UNTRACKED)
    np.testing.assert_array_equal(found.values, [nan, nan])
    np.testing.assert_array_equal(found.change_pct, [-60, 0])
    early = label(rows, target, clock=START + 10 * MINUTE, untracked_phases=UNTRACKED)
    np.testing.assert_array_equal(early.change_pct, [-60, nan])


@pytest.mark.parametrize("resolution", ["recording", "observed"])
def test_label_when_the_coin_graduates_then_only_the_rise_that_was_seen_counts(resolution: str) -> None:
    rows = one_coin(at_minutes(0, 2, 5), price_close=[1e-8, 2e-8, 4e-8], bonding_curve_pct=[50, 80, 99.5])
    within = rise(label_mode="within_horizon", label_resolution=resolution, min_percent_change=50.0)
    np.testing.assert_array_equal(answers(rows, within, clock_minutes=30), [1, 1, nan])
    at_horizon = rise(label_resolution=resolution, min_percent_change=50.0)
    np.testing.assert_array_equal(answers(rows, at_horizon, clock_minutes=30), [nan, nan, nan])


def test_label_when_the_coin_leaves_exactly_at_the_horizon_then_resolved() -> None:
    rows = one_coin(at_minutes(0, 10), price_close=[1e-8, 2e-8], bonding_curve_pct=[50, 100])
    assert answers(rows, rise(), clock_minutes=10)[0] == 1


def test_label_when_the_threshold_is_reached_after_leaving_then_unresolved() -> None:
    rows = one_coin(at_minutes(0, 2, 5), price_close=[1e-8, 1e-8, 4e-8], bonding_curve_pct=[50, 100, 100])
    assert math.isnan(answers(rows, rise(label_mode="within_horizon"), clock_minutes=30)[0])


def test_label_when_other_coins_rise_then_not_this_one() -> None:
    rows = CoinRows(
        mints=("A", "B"),
        coin=np.array([0, 1, 0, 1]),
        timestamp=np.array(at_minutes(0, 0, 10, 10)),
        id=np.arange(4),
        phase=np.ones(4, np.int64),
        values={"price_close": np.array([1e-8, 1e-8, 1e-8, 9e-8]), "bonding_curve_pct": np.zeros(4)},
    )
    assert answers(rows, rise(), clock_minutes=10)[:2] == [0, 1]


def test_readings_when_silence_resolves_many_then_both_rates_are_told() -> None:
    rows = one_coin(
        at_minutes(0, 1, 2, 3, 11, 12),
        price_close=[1e-8, 1e-8, 0, 1e-8, 2e-8, 1e-8],
        bonding_curve_pct=[1, 1, 1, 1, 1, 1],
    )
    found = label(rows, rise(label_resolution="observed"), clock=START + 21 * MINUTE, untracked_phases=UNTRACKED)
    # Rows 0 and 1 are seen again after ten minutes, row 2 has no price, 3 and 4 are only silent, 5 is not due.
    np.testing.assert_array_equal(found.values, [0, 1, nan, nan, nan, nan])
    told = found.readings()
    assert told.unresolved == {"value_missing": 1, "clock": 1, "not_observed": 2}
    assert (told.rows, told.resolved, told.positives, told.base_rate) == (6, 2, 1, 0.5)
    assert (told.resolved_without_observation, told.without_observation_share) == (2, 0.5)
    assert (told.recording_rate, told.observed_rate) == (0.25, 0.5)
    part = found.readings(np.array([True, False, True, True, False, False]))
    assert (part.rows, part.resolved, part.positives, part.base_rate, part.recording_resolved) == (3, 1, 0, 0.0, 2)


def test_readings_when_there_are_no_rows_then_rates_are_none() -> None:
    found = label(one_coin([]), rise(label_mode="within_horizon"), clock=START, untracked_phases=UNTRACKED)
    told = found.readings()
    assert (told.rows, told.base_rate, told.observed_rate, told.without_observation_share) == (0, None, None, None)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (">", [0, 0, 1, nan]),
        (">=", [0, 1, 1, nan]),
        ("<", [1, 0, 0, nan]),
        ("<=", [1, 1, 0, nan]),
        ("=", [0, 1, 0, nan]),
    ],
)
def test_rule_when_compared_then_on_the_row_itself_at_any_clock(operator: str, expected: list[float]) -> None:
    rows = one_coin(at_minutes(0, 1, 2, 3), price_close=[2.9e-8, 3e-8, 3.1e-8, 0])
    target = RuleTarget(target_var="price_close", operator=operator, target_value=3e-8)
    found = label(rows, target, clock=START - 10**12, untracked_phases=UNTRACKED)
    np.testing.assert_array_equal(found.values, expected)
    assert found.readings().unresolved == {"value_missing": 1}
    assert found.readings().resolved_without_observation == 0


@pytest.mark.parametrize(
    ("target", "pointer"),
    [
        ({"target_var": "price_roc_5"}, "/target_var"),
        ({"target_var": "mint"}, "/target_var"),
        ({"future_minutes": 0}, "/future_minutes"),
        ({"future_minutes": 10**15}, "/future_minutes"),
        ({"min_percent_change": 0}, "/min_percent_change"),
        ({"min_percent_change": nan}, "/min_percent_change"),
        ({"min_percent_change": math.inf}, "/min_percent_change"),
    ],
)
def test_time_target_when_it_makes_no_sense_then_refused(target: dict[str, object], pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        rise(**target)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(("operator", "value", "pointer"), [("!=", 1, "/operator"), (">", nan, "/target_value")])
def test_rule_target_when_it_makes_no_sense_then_refused(operator: str, value: float, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        RuleTarget(target_var="price_close", operator=operator, target_value=value)
    assert caught.value.pointer == pointer
