import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from pumpcast.market.feed import feed
from pumpcast.market.files import FileRows
from pumpcast.market.load import load
from pumpcast.market.replay import in_range, replay
from pumpcast.market.replay_candles import replay_candles
from pumpcast.market.simulate import simulate_history
from shared.db import Pool
from shared.errors import Invalid
from shared.wakeup_trigger import ensure_trigger
from tests.support.database import START, insert_rows, row
from tests.support.files import ticks


async def stored(pool: Pool) -> list[tuple[str, datetime]]:
    return [tuple(r) for r in await pool.fetch("SELECT mint, timestamp FROM coin_metrics ORDER BY id")]


async def test_replay_when_the_table_is_empty_then_starts_now_and_keeps_spacing(pool: Pool):
    before = datetime.now(UTC) - timedelta(seconds=1)
    result = await replay(pool, ticks(4, seconds=7), speed=0)
    times = [at for _, at in await stored(pool)]
    assert before <= times[0] <= datetime.now(UTC)
    assert [later - earlier for earlier, later in pairwise(times[::2])] == [timedelta(seconds=7)] * 3
    assert (result.rows, result.ticks, result.stopped) == (8, 4, False)
    assert (result.first_timestamp, result.last_timestamp) == (times[0], times[-1])
    assert result.shift == times[0] - START


async def test_replay_when_rows_are_there_then_goes_on_just_after_the_newest(pool: Pool):
    async with pool.acquire() as connection:
        await insert_rows(connection, [row("old", 100), row("old", 0)])
    result = await replay(pool, ticks(3), speed=0)
    assert timedelta(0) < result.first_timestamp - (START + timedelta(seconds=100)) <= timedelta(seconds=5)


async def test_replay_when_one_row_is_far_ahead_then_is_not_drawn_after_it(pool: Pool):
    async with pool.acquire() as connection:
        await insert_rows(connection, [row(mint, 0) for mint in "ABC"])
        await connection.execute(
            "INSERT INTO coin_metrics (mint, timestamp) VALUES ('wrong zone', now() + interval '23 hours')"
        )
    result = await replay(pool, ticks(3), speed=0)
    assert result.first_timestamp < START + timedelta(seconds=5)


async def test_replay_when_twice_then_the_second_follows_the_first(pool: Pool):
    first, second = [await replay(pool, ticks(5), speed=0) for _ in range(2)]
    assert second.first_timestamp > first.last_timestamp
    assert second.first_timestamp - first.last_timestamp < timedelta(seconds=10)


async def test_replay_when_time_is_kept_then_timestamps_stay(pool: Pool):
    result = await replay(pool, ticks(2), speed=0, keep_time=True)
    assert await stored(pool) == [(mint, START + timedelta(seconds=at)) for at in (0, 5) for mint in "AB"]
    assert result.shift == timedelta(0)


async def test_replay_when_a_tick_has_many_rows_then_is_one_transaction_and_one_notification(pool: Pool):
    assert await ensure_trigger(pool)
    await pool.execute(
        "CREATE TABLE statements (at bigint GENERATED ALWAYS AS IDENTITY);"
        "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO statements DEFAULT VALUES; RETURN NULL; END';"
        "CREATE TRIGGER counting AFTER INSERT ON coin_metrics FOR EACH STATEMENT EXECUTE FUNCTION seen()"
    )
    await replay(pool, ticks(6, coins=8), speed=0)
    assert await pool.fetchval("SELECT count(*) FROM statements") == 6
    transactions = await pool.fetch("SELECT xmin::text, count(*) FROM coin_metrics GROUP BY 1")
    assert [r["count"] for r in transactions] == [8] * 6


async def test_replay_when_rows_were_recorded_late_then_come_with_the_tick_before_them(pool: Pool):
    given = [row("A", 0), row("A", 10), row("late", 5), row("A", 15), row("late", 10)]
    result = await replay(pool, pa.Table.from_pylist(given), speed=0, keep_time=True)
    assert result.ticks == 3
    assert await stored(pool) == [(entry["mint"], entry["timestamp"]) for entry in given]


async def test_replay_when_the_file_is_sorted_by_coin_then_goes_by_time(pool: Pool):
    given = [row(mint, minute * 60) for mint in "AB" for minute in range(30)]
    result = await replay(pool, pa.Table.from_pylist(given), speed=0, keep_time=True)
    times = [at for _, at in await stored(pool)]
    assert times == sorted(times)
    assert result.ticks == 30


async def test_replay_when_paced_then_takes_the_recorded_time_over_speed(pool: Pool):
    loop = asyncio.get_running_loop()
    arrivals: list[float] = []
    await replay(pool, ticks(5, coins=1, seconds=10), speed=100, on_progress=lambda _done: arrivals.append(loop.time()))
    # Never earlier than due; how much later is up to the machine.
    assert len(arrivals) == 5
    assert all(at - arrivals[0] >= 0.1 * number - 0.05 for number, at in enumerate(arrivals))


async def test_replay_when_there_is_a_hole_of_hours_then_waiting_can_be_stopped(pool: Pool):
    stop = asyncio.Event()
    given = pa.Table.from_pylist([row("A", 0), row("B", 0), row("A", 6 * 3600)])
    result = await replay(pool, given, speed=1, stop=stop, on_progress=lambda _done: stop.set())
    assert (result.rows, result.ticks, result.stopped) == (2, 1, True)
    assert len(await stored(pool)) == 2


async def test_replay_when_stopped_before_the_first_tick_then_nothing_went_in(pool: Pool):
    stop = asyncio.Event()
    stop.set()
    result = await replay(pool, ticks(3), speed=0, stop=stop)
    assert (result.rows, result.first_timestamp, result.stopped) == (0, None, True)
    assert await stored(pool) == []


async def test_replay_when_the_table_lacks_columns_then_the_rest_arrives(pool: Pool):
    await pool.execute("ALTER TABLE coin_metrics DROP COLUMN is_koth, ADD COLUMN mood text")
    result = await replay(pool, ticks(2).append_column("tune", pa.array(["la"] * 4)), speed=0)
    assert result.rows == len(await stored(pool)) == 4


@pytest.mark.parametrize("speed", [-1, float("nan"), float("inf")])
async def test_replay_when_the_speed_is_no_pace_then_says_so(pool: Pool, speed: float):
    with pytest.raises(Invalid, match="speed"):
        await replay(pool, ticks(1), speed=speed)


async def test_replay_when_there_are_no_rows_then_says_so(pool: Pool):
    with pytest.raises(Invalid, match="no rows"):
        await replay(pool, ticks(1).slice(0, 0), speed=0)


def test_range_when_bounds_are_given_then_both_are_included():
    table = ticks(10, coins=1, seconds=60)
    minute = timedelta(minutes=1)
    assert in_range(table, since=START + 2 * minute, until=START + 4 * minute).num_rows == 3
    assert in_range(table, since=None, until=START).num_rows == 1
    assert in_range(table, since=None, until=None).num_rows == 10
    with pytest.raises(Invalid, match="time zone"):
        in_range(table, since=START.replace(tzinfo=None), until=None)


async def test_replay_when_a_simulated_history_runs_through_then_no_row_is_lost(pool: Pool):
    table = simulate_history(seed=4, start=START, minutes=30)
    await pool.execute("INSERT INTO coin_metrics (mint, timestamp) VALUES ('old', $1)", START)
    result = await replay(pool, table, speed=0)
    assert result.rows + 1 == table.num_rows + 1 == await pool.fetchval("SELECT count(*) FROM coin_metrics")


async def test_feed_when_history_is_there_then_goes_on_at_the_present(pool: Pool):
    before = datetime.now(UTC).replace(microsecond=0)
    await load(pool, FileRows(table="coin_metrics", rows=simulate_history(seed=1, start=START, minutes=5), ignored=()))
    result = await feed(pool, stop=asyncio.Event(), speed=0, minutes=3, coins_per_minute=6)
    fresh = await pool.fetch("SELECT timestamp FROM coin_metrics WHERE timestamp > $1", before - timedelta(seconds=1))
    assert result.rows == len(fresh) > 50


async def test_feed_when_the_table_runs_ahead_then_goes_on_after_its_newest_row(pool: Pool):
    ahead = datetime.now(UTC) + timedelta(minutes=4)
    await pool.execute(
        "INSERT INTO coin_metrics (mint, timestamp) SELECT mint, $1 FROM unnest('{A,B,C}'::text[]) mint", ahead
    )
    result = await feed(pool, stop=asyncio.Event(), speed=0, minutes=3, coins_per_minute=6)
    assert result.first_timestamp > ahead
    assert await pool.fetchval("SELECT count(*) FROM coin_metrics WHERE timestamp > $1", ahead) == result.rows > 50


async def test_feed_when_stopped_then_says_how_much_went_in(pool: Pool):
    stop = asyncio.Event()
    result = await feed(
        pool, stop=stop, speed=0, coins_per_minute=6, on_progress=lambda rows: stop.set() if rows > 20 else None
    )
    assert result.rows == await pool.fetchval("SELECT count(*) FROM coin_metrics") > 20


async def test_replay_of_candles_when_two_markets_then_each_moment_is_one_write_and_times_stay(pool: Pool):
    start = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [
        {"symbol": symbol, "interval": "15m", "open_time": start + timedelta(minutes=15 * bar),
         "open": 1.0, "high": 9.0, "low": 0.5, "close": 1.0 + bar, "volume": 3.0}
        for symbol in ("BTCUSDT", "SOLUSDT") for bar in (1, 0, 2)
    ]  # fmt: skip
    result = await replay_candles(pool, pa.Table.from_pylist(rows), speed=0)
    assert (result.rows, result.ticks, result.stopped) == (6, 3, False)
    found = await pool.fetch("SELECT symbol, open_time, close FROM candles ORDER BY updated_at, symbol")
    assert [tuple(row) for row in found] == [
        (symbol, start + timedelta(minutes=15 * bar), 1.0 + bar)
        for bar in range(3)
        for symbol in ("BTCUSDT", "SOLUSDT")
    ]
