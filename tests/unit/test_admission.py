"""Which rows are answered: lateness, the future, repeats."""

import numpy as np

from prediction_service.runtime.admission import Admission
from prediction_service.runtime.gaps import Gaps, pending_gaps
from prediction_service.runtime.position import Interval, Position, owed
from shared.coin_metrics.clock import recording_clock
from shared.coin_metrics.read import Batch

MINUTE = 60_000_000
HOUR = 60 * MINUTE
NOW = 500_000 * HOUR


def batch(*rows: tuple[int, str, int]) -> Batch:
    ids, mints, times = zip(*rows, strict=True) if rows else ((), (), ())
    return Batch(
        id=np.array(ids, np.int64),
        mint=list(mints),
        timestamp=np.array(times, np.int64),
        phase=np.ones(len(rows), np.int64),
        values=np.zeros((len(rows), 1)),
    )


def admission(clock: int | None = NOW, *, recent: tuple[str, ...] = ("a", "b", "c", "d")) -> Admission:
    return Admission(clock=clock, max_age=10 * MINUTE, recent=recent)


def test_admit_when_one_row_is_a_day_ahead_then_it_waits_and_the_others_are_answered():
    gate = admission()

    given = gate.admit(batch((1, "a", NOW + 1), (2, "lone", NOW + 23 * HOUR), (3, "b", NOW + 2)), wall=NOW)

    assert given.rows.id.tolist() == [1, 3]
    assert gate.held_ids() == [2]
    assert gate.clock == NOW + 2
    assert len(given.stale) == 0


def test_admit_when_three_coins_come_after_a_hole_then_all_three_are_answered():
    gate = admission()
    later = NOW + 6 * HOUR

    first = gate.admit(batch((1, "a", later), (2, "b", later)), wall=NOW)
    second = gate.admit(batch((3, "c", later + MINUTE)), wall=NOW)

    assert first.rows.id.tolist() == []
    assert second.rows.id.tolist() == [1, 2, 3]
    assert len(second.stale) == 0
    assert gate.clock == later + MINUTE
    assert gate.held_ids() == []


def test_admit_when_one_coin_of_many_repeats_itself_far_ahead_then_the_clock_stays():
    gate = admission()

    given = gate.admit(batch(*[(n, "lone", NOW + 23 * HOUR + n) for n in range(1, 6)]), wall=NOW)

    assert len(given.rows) == 0
    assert gate.clock == NOW


def test_admit_when_one_coin_floods_the_future_for_batches_then_the_clock_stays():
    gate = admission()

    for start in range(1, 2001, 500):
        rows = [(n, "lone", NOW + 2 * HOUR + n) for n in range(start, start + 500)]
        assert len(gate.admit(batch(*rows), wall=NOW).rows) == 0

    assert gate.clock == NOW
    assert gate.admit(batch((3000, "a", NOW + 1)), wall=NOW).rows.id.tolist() == [3000]


def test_admit_when_nothing_was_ever_believed_then_the_rows_held_tell_how_many_coins_send():
    gate = admission(clock=None, recent=())
    apart = [(n, mint, NOW + 10 * n * HOUR) for n, mint in enumerate("abc", 1)]

    assert len(gate.admit(batch(*apart), wall=NOW).rows) == 0
    assert len(gate.admit(batch((4, "a", NOW + 10 * HOUR + 1), (5, "a", NOW + 10 * HOUR + 2)), wall=NOW).rows) == 0


def test_admit_when_only_one_coin_sends_then_three_of_its_rows_confirm_a_hole():
    gate = admission(recent=("only",))
    later = NOW + 6 * HOUR

    given = gate.admit(batch((1, "only", later), (2, "only", later + 1), (3, "only", later + 2)), wall=NOW)

    assert given.rows.id.tolist() == [1, 2, 3]


def test_admit_when_the_wall_clock_reaches_a_held_row_then_it_is_answered():
    gate = admission()
    gate.admit(batch((1, "lone", NOW + HOUR)), wall=NOW)

    given = gate.admit(batch(), wall=NOW + HOUR)

    assert given.rows.id.tolist() == [1]
    assert gate.next_release() is None


def test_admit_when_the_replay_runs_ahead_of_the_wall_clock_then_nothing_is_held():
    gate = admission()
    rows = [(n, "abcdefgh"[n % 8], NOW + n * MINUTE) for n in range(1, 400)]

    given = gate.admit(batch(*rows), wall=NOW)

    assert given.rows.id.tolist() == [n for n, _, _ in rows]


def test_admit_when_a_row_arrives_later_than_allowed_then_it_is_stale():
    gate = admission()

    given = gate.admit(batch((1, "a", NOW - 10 * MINUTE), (2, "b", NOW - 10 * MINUTE - 1)), wall=NOW)

    assert given.rows.id.tolist() == [1]
    assert given.stale.id.tolist() == [2]


def test_admit_when_an_outage_lasted_for_days_then_its_rows_are_not_stale():
    gate = admission(clock=NOW - 48 * HOUR)
    rows = [(n, "abcd"[n % 4], NOW - 48 * HOUR + n * 4 * MINUTE) for n in range(1, 500)]

    given = gate.admit(batch(*rows), wall=NOW)

    assert len(given.rows) == len(rows)
    assert len(given.stale) == 0


def test_admit_when_a_key_repeats_in_one_batch_then_the_highest_id_counts():
    given = admission().admit(batch((1, "a", NOW), (2, "b", NOW), (3, "a", NOW)), wall=NOW)

    assert given.rows.id.tolist() == [2, 3]
    assert given.repeats.id.tolist() == [1]


def test_clock_when_a_lone_row_is_ahead_of_both_clocks_then_it_is_not_believed():
    times = np.array([NOW - HOUR, NOW, NOW + 23 * HOUR])
    assert recording_clock(times, np.arange(3), wall=NOW, few_coins=False) == NOW


def test_clock_when_a_replay_ran_ahead_then_its_newest_row_counts():
    times = NOW + np.arange(0, 600) * MINUTE
    assert recording_clock(times, np.arange(600) % 5, wall=NOW, few_coins=False) == NOW + 599 * MINUTE


def test_clock_when_three_coins_stand_behind_a_hole_then_it_is_believed():
    times = np.array([NOW, NOW + 6 * HOUR, NOW + 6 * HOUR, NOW + 6 * HOUR + MINUTE])
    assert recording_clock(times, np.array([0, 1, 2, 3]), wall=NOW, few_coins=False) == NOW + 6 * HOUR + MINUTE


def test_position_when_ids_appear_late_then_only_the_missing_ones_stay_pending():
    position = Position(high=100, pending=())

    position = position.advanced([103, 104, 110])
    assert position.pending == ((101, 102), (105, 109))

    position = position.advanced([102, 107])
    assert position == Position(high=110, pending=((101, 101), (105, 106), (108, 109)))
    assert position.contains(np.array([100, 101, 102, 106, 107, 110, 111])).tolist() == [
        True, False, True, False, True, True, False,
    ]  # fmt: skip


def test_interval_when_a_row_commits_between_activation_and_deactivation_then_it_is_owed():
    interval = Interval(start=Position(high=10, pending=((7, 7),)), until=Position(high=20, pending=((15, 15),)))
    ids = np.array([6, 7, 10, 11, 15, 20, 21])

    assert owed([interval], ids).tolist() == [False, True, False, True, False, True, False]
    assert not interval.drained(Position(high=25, pending=((18, 18),)))
    assert interval.drained(Position(high=25, pending=((22, 22),)))


def test_gaps_when_the_transaction_that_holds_an_id_is_open_then_the_gap_is_kept():
    gaps = Gaps(kept=0)
    gaps.watch([(5, 5)], now=0.0, next_transaction=900)

    assert gaps.due(0.0) == [(5, 5)]
    assert gaps.dead(now=10_000.0, oldest_transaction=899) == []
    assert gaps.dead(now=30.0, oldest_transaction=900) == []
    assert gaps.dead(now=61.0, oldest_transaction=900) == [(5, 5)]


def test_gaps_when_part_of_a_range_appears_then_the_rest_keeps_its_age():
    gaps = Gaps(kept=0)
    gaps.watch([(5, 9)], now=0.0, next_transaction=900)
    gaps.watch([(5, 6), (8, 9), (20, 20)], now=50.0, next_transaction=950)

    assert gaps.dead(now=61.0, oldest_transaction=920) == [(5, 6), (8, 9)]


def test_pending_gaps_when_a_row_is_held_then_it_is_no_gap():
    assert pending_gaps(Position(high=9, pending=((3, 6), (9, 9))), [6, 9]) == [(3, 5)]
