"""The recording clock of a table: which rows are believed, seen alike by live reading and by training."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prediction_service.store import positions
from shared.coin_metrics import read
from shared.coin_metrics.load import load_range
from shared.db import Connection
from tests.support.database import insert_rows, row

NOW = datetime.now(UTC).replace(microsecond=0)


def at(mint: str, moment: datetime) -> dict[str, Any]:
    return {**row(mint), "timestamp": moment}


async def clocks(connection: Connection, database: str) -> set[datetime | None]:
    """Give what the two readers say; one time when they agree."""
    live = await read.clock(connection, now=datetime.now(UTC))
    trained = load_range(
        database, start=NOW - timedelta(days=1), end=NOW + timedelta(days=1), horizon_minutes=1, history_rows=0,
        columns=("price_close",),
    )  # fmt: skip
    return {live, read.moment(trained.clock_us)}


async def test_clock_when_one_coin_floods_the_future_then_it_stays(connection: Connection, database: str):
    usual = [at(mint, NOW - timedelta(minutes=minute)) for mint in "ABCD" for minute in range(5)]
    flood = [at("lone", NOW + timedelta(hours=2, seconds=second)) for second in range(1102)]
    await insert_rows(connection, usual + flood)

    assert await clocks(connection, database) == {NOW}


async def test_clock_when_only_one_coin_sends_then_three_of_its_rows_move_it(connection: Connection, database: str):
    await insert_rows(connection, [at("only", NOW - timedelta(minutes=minute)) for minute in range(5)])
    later = NOW + timedelta(hours=2)
    await insert_rows(connection, [at("only", later + timedelta(seconds=second)) for second in range(3)])

    assert await clocks(connection, database) == {later + timedelta(seconds=2)}


@pytest.mark.parametrize(("coins", "moves"), [("AAA", True), ("ABA", True), ("AABBCD", False)])
async def test_clock_when_every_row_is_in_the_future_then_all_rows_tell_how_many_coins_send(
    connection: Connection, database: str, coins: str, moves: bool
):
    # Two hours part the later rows from each other, so that only rows of A stand close together.
    starts = {"A": 2, "B": 4, "C": 6, "D": 8} if not moves else dict.fromkeys("AB", 2)
    rows = [at(mint, NOW + timedelta(hours=starts[mint], seconds=place)) for place, mint in enumerate(coins)]
    await insert_rows(connection, rows)

    found = await read.clock(connection, now=NOW)

    assert found == (NOW + timedelta(hours=2, seconds=2) if moves else None)


async def test_clock_when_timestamps_lie_outside_all_calendars_then_both_readers_ignore_them(
    connection: Connection, database: str
):
    await insert_rows(connection, [at(mint, NOW - timedelta(minutes=minute)) for mint in "ABCD" for minute in range(5)])
    await connection.execute(
        "INSERT INTO coin_metrics (mint, timestamp) SELECT 'A', moment::timestamptz"
        " FROM unnest(ARRAY['infinity', '-infinity', '250000-01-01Z', '4000-01-01Z BC']) AS moment"
    )

    assert await clocks(connection, database) == {NOW}


async def test_newest_mints_when_one_coin_floods_the_future_then_they_are_of_believed_rows(connection: Connection):
    await insert_rows(connection, [at(mint, NOW - timedelta(minutes=1)) for mint in "ABC"])
    await insert_rows(connection, [at("lone", NOW + timedelta(hours=2, seconds=second)) for second in range(20)])
    await positions.ensure(connection)
    assert sorted(await positions.newest_mints(connection, 10)) == ["A", "B", "C"]

    await connection.execute("UPDATE worker_positions SET clock = $1", NOW + timedelta(hours=2))
    assert await positions.newest_mints(connection, 10) == ["lone"] * 10
