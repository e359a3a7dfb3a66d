"""Loading a window of coin_metrics for training."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shared.coin_metrics.load import load_range
from shared.coin_metrics.read import microseconds
from shared.db import connect
from shared.errors import JobFailed
from shared.labels import TimeTarget, label
from tests.support.database import START, insert_rows, row

COLUMNS = ("price_close", "volume_sol", "is_koth", "num_buys")


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


async def fill(dsn, rows, *statements):
    connection = await connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
        await insert_rows(connection, rows)
    finally:
        await connection.close()


def ticks(mint, minutes, **columns):
    return [row(mint, 60 * minute, **columns) for minute in minutes]


def load(dsn, start, end, **changes):
    plain = {"horizon_minutes": 5, "history_rows": 3, "columns": COLUMNS}
    return load_range(dsn, start=start, end=end, **{**plain, **changes})


def minutes_of(loaded, mint):
    rows = loaded.rows
    chosen = rows.coin == rows.mints.index(mint)
    return ((rows.timestamp[chosen] - microseconds(START)) // 60_000_000).tolist()


async def test_load_gives_the_window_its_horizon_and_the_history_of_each_coin(any_database):
    await fill(any_database, [*ticks("A", range(40)), *ticks("B", range(18, 40, 4)), *ticks("C", range(31, 40))])

    loaded = load(any_database, at(20), at(30))

    # The window reaches from 20 to 30, the horizon to 35, and three rows before it are history.
    assert minutes_of(loaded, "A") == list(range(17, 36))
    assert minutes_of(loaded, "B") == [18, 22, 26, 30, 34]
    assert {loaded.rows.mints[code] for code in loaded.rows.coin} == {"A", "B"}
    inside = loaded.rows.timestamp[loaded.in_window]
    assert inside.min() == microseconds(at(20))
    assert inside.max() == microseconds(at(30))
    assert loaded.clock_us == microseconds(at(39))


async def test_load_knows_when_each_coin_was_last_seen_beyond_what_is_loaded(database):
    await fill(database, [*ticks("A", range(60)), *ticks("B", range(25))])

    loaded = load(database, at(20), at(30))

    assert {mint: loaded.last_seen[code] for code, mint in enumerate(loaded.rows.mints)} == {
        "A": microseconds(at(59)),
        "B": microseconds(at(24)),
    }


async def test_load_of_a_repeated_moment_takes_the_highest_id_in_window_and_history(database):
    twice = [entry for volume in (1.0, 2.0) for entry in ticks("A", range(20), volume_sol=volume)]
    await fill(database, twice)

    loaded = load(database, at(10), at(15), history_rows=4)

    assert minutes_of(loaded, "A") == list(range(6, 20))
    assert set(loaded.rows.values["volume_sol"].tolist()) == {2.0}


async def test_load_gives_values_of_any_type_as_numbers_and_null_as_missing(database):
    await fill(
        database,
        [
            row("A", 0, price_close=3.25e-8, is_koth=True, num_buys=7, phase_id_at_time=None),
            row("A", 60, price_close=0.0, is_koth=None, volume_sol=None),
        ],
        "ALTER TABLE coin_metrics ALTER volume_sol TYPE real, ALTER price_close TYPE numeric(30, 18)",
    )

    rows = load(database, at(0), at(1)).rows

    assert rows.values["price_close"][0] == 3.25e-8
    assert np.isnan(rows.values["price_close"][1])
    assert rows.values["is_koth"][0] == 1
    assert np.isnan(rows.values["is_koth"][1])
    assert rows.values["num_buys"].tolist() == [7, 3]
    assert np.isnan(rows.values["volume_sol"][1])
    assert rows.phase.tolist() == [-1, 1]


async def test_load_of_numbers_that_no_double_holds_reads_them_as_missing_or_zero(database):
    await fill(
        database,
        ticks("A", range(3)),
        "INSERT INTO coin_metrics (mint, timestamp, volume_sol, price_close)"
        f" VALUES ('A', '{at(3).isoformat()}', 1e400::numeric, 1e-400::numeric)",
    )

    rows = load(database, at(0), at(3)).rows

    assert rows.values["volume_sol"][:3].tolist() == [1, 1, 1]
    assert np.isnan(rows.values["volume_sol"][3])
    assert np.isnan(rows.values["price_close"][3])


async def test_load_when_one_row_is_a_day_ahead_keeps_the_clock_of_the_others(database):
    now = datetime.now(UTC).replace(microsecond=0)
    rows = [{**row(mint), "timestamp": now - timedelta(minutes=minute)} for mint in "ABC" for minute in range(30)]
    await fill(database, [*rows, {**row("D"), "timestamp": now + timedelta(hours=23)}])

    loaded = load(database, now - timedelta(minutes=20), now + timedelta(days=3))

    assert loaded.clock_us == microseconds(now)
    assert loaded.rows.timestamp.max() == microseconds(now)


async def test_load_when_a_coin_has_a_row_before_all_time_then_its_other_rows_keep_their_place(database):
    await fill(database, ticks("A", range(10)))
    await fill(database, [], "INSERT INTO coin_metrics (mint, timestamp, price_close) VALUES ('A', '-infinity', 1)")

    loaded = load(database, at(0), at(9))

    assert loaded.rows.timestamp[0] == microseconds(datetime(1, 2, 1, tzinfo=UTC))
    assert loaded.in_window.tolist() == [False] + [True] * 10
    target = TimeTarget(target_var="price_close", future_minutes=1, min_percent_change=1)
    labels = label(
        loaded.rows, target, clock=loaded.clock_us, untracked_phases=loaded.untracked_phases, last_seen=loaded.last_seen
    )
    assert labels.values[1:-1].tolist() == [0.0] * 9


async def test_load_of_phases_reads_those_nobody_records_any_more(database):
    await fill(database, ticks("A", range(3)), "UPDATE ref_coin_phases SET interval_seconds = 0 WHERE id = 3")

    assert load(database, at(0), at(2)).untracked_phases == {3, 99, 100}


async def test_load_without_a_table_of_phases_takes_the_usual_ones(database):
    await fill(database, ticks("A", range(3)), "DROP TABLE ref_coin_phases")

    assert load(database, at(0), at(2)).untracked_phases == {99, 100}


@pytest.mark.parametrize(
    ("statements", "changes", "told"),
    [
        (("DROP TABLE coin_metrics",), {}, "the table coin_metrics does not exist"),
        (("ALTER TABLE coin_metrics DROP num_buys, DROP is_koth",), {}, "no column num_buys and no column is_koth"),
        (("TRUNCATE coin_metrics",), {}, "coin_metrics holds no rows: load some"),
        ((), {"start": at(100), "end": at(200)}, "holds no rows from 2026-03-01T13:40:00"),
        ((), {"max_rows": 9}, r"the window holds 10 rows, more than MAX_TRAINING_ROWS \(9\)"),
    ],
)
async def test_load_of_what_is_not_there_fails_the_job_with_a_sentence(database, statements, changes, told):
    await fill(database, ticks("A", range(10)))
    await fill(database, [], *statements)

    with pytest.raises(JobFailed, match=told):
        load(database, **{"start": at(0), "end": at(10), **changes})


async def test_load_counts_the_history_among_the_rows_that_may_be_loaded(database):
    await fill(database, [*ticks("A", range(30)), *ticks("B", range(30))])
    window = {"start": at(20), "end": at(24), "history_rows": 10}

    # Ten rows of the window, ten of the horizon, ten of history for each of the two coins.
    assert len(load(database, **window, max_rows=40).rows) == 40
    with pytest.raises(JobFailed, match=r"holds 20 rows, with the history before them more than MAX_TRAINING_ROWS"):
        load(database, **window, max_rows=39)


async def test_load_when_an_optional_column_is_absent_goes_on_without_it(database):
    await fill(database, ticks("A", range(10)))
    await fill(database, [], "ALTER TABLE coin_metrics DROP bonding_curve_pct")

    rows = load(database, at(0), at(9), optional_columns=("bonding_curve_pct", "virtual_sol_reserves")).rows

    assert np.isnan(rows.values["bonding_curve_pct"]).all()
    assert rows.values["virtual_sol_reserves"].tolist() == [31.0] * 10
