"""Candles that computing starts from: closed, without a gap, of the table or of a coin's rows."""

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from prediction_service.store import candles
from prediction_service.store.candles import Bar
from prediction_service.usecases.candles import closed_candles, count_closed, without_trades
from shared.db import Connection, Pool, transaction
from shared.errors import TooFewCandles
from tests.support.database import START, insert_rows, row

QUARTER = timedelta(minutes=15)
BTC = {"symbol": "BTCUSDT", "interval_seconds": 900}


def bar(place: int, *, start: datetime = START, price: float = 3e-8) -> Bar:
    return Bar(
        symbol="BTCUSDT", interval="15m", open_time=start + place * QUARTER, open=price, high=price * 2,
        low=price / 2, close=price + place * 1e-10, volume=float(place),
    )  # fmt: skip


async def put(pool: Pool, bars: Sequence[Bar]) -> candles.Written:
    async with transaction(pool) as connection:
        return await candles.put(connection, bars)


async def test_candles_when_enough_are_closed_then_the_newest_come_with_every_digit(pool: Pool):
    await put(pool, [bar(place) for place in range(20)])
    found = await closed_candles(pool, **BTC, bars=5)
    expected = [bar(place) for place in range(15, 20)]
    assert found.open_time.tolist() == [int(one.open_time.timestamp()) * 1_000_000 for one in expected]
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(found, name).tolist() == [getattr(one, name) for one in expected]
    assert await count_closed(pool, **BTC, bars=5) == 5
    assert await count_closed(pool, **BTC, bars=100) == 20


async def test_candles_when_the_newest_is_open_then_it_does_not_count(pool: Pool):
    now = datetime.now(UTC)
    this = now - (now - START) % QUARTER
    await put(pool, [bar(place, start=this - 4 * QUARTER) for place in range(6)])
    found = await closed_candles(pool, **BTC, bars=4)
    assert found.close_time[-1] <= datetime.now(UTC).timestamp() * 1e6
    assert found.volume.tolist() in ([0, 1, 2, 3], [1, 2, 3, 4])
    with pytest.raises(TooFewCandles, match="have 4 of 5 candles of BTCUSDT 15m"):
        await closed_candles(pool, **BTC, bars=5, at=this)
    assert await count_closed(pool, **BTC, bars=5, at=this) == 4
    assert await count_closed(pool, **BTC, bars=5, at=this - timedelta(microseconds=1)) == 3
    assert await count_closed(pool, **BTC, bars=5, at=datetime(1, 1, 1, tzinfo=UTC)) == 0


async def test_candles_when_one_is_missing_then_the_words_say_how_many_there_are_and_where_the_gap_is(pool: Pool):
    await put(pool, [bar(place) for place in range(10) if place not in (3, 4)])
    assert len(await closed_candles(pool, **BTC, bars=5)) == 5
    with pytest.raises(TooFewCandles, match=r"have 5 of 6 .* a gap from 2026-03-01T12:45:00Z to 2026-03-01T13:15:00Z"):
        await closed_candles(pool, **BTC, bars=6)
    assert await count_closed(pool, **BTC, bars=6) == 5
    assert len(await closed_candles(pool, **BTC, bars=3, at=START + 3 * QUARTER)) == 3


async def test_candles_when_there_are_none_then_says_so_with_and_without_the_tracker(pool: Pool):
    for source in ("candles", "coin_metrics"):
        with pytest.raises(TooFewCandles, match="have 0 of 1500 candles of BTCUSDT 15m: no"):
            await closed_candles(pool, **BTC, bars=1500, source=source)
        assert await count_closed(pool, **BTC, bars=1500, source=source) == 0
    await pool.execute("DROP TABLE coin_metrics")
    with pytest.raises(TooFewCandles, match="no price of it is recorded"):
        await closed_candles(pool, **BTC, bars=1500, source="coin_metrics")
    assert await count_closed(pool, **BTC, bars=1500, source="coin_metrics") == 0


def plainly(rows: list[dict[str, Any]], *, seconds: int, until: int, most: int) -> list[tuple[float, ...]]:
    """Resample row by row: (start in seconds, open, high, low, close, volume)."""
    newest: dict[float, dict[str, Any]] = {}
    for one in rows:
        newest[one["at"]] = one
    made: list[tuple[float, ...]] = []
    close = math.nan
    ordered = [newest[at] for at in sorted(newest) if (newest[at]["price_close"] or 0) > 0]
    first = min((math.ceil(one["at"] / seconds) for one in ordered), default=10**9)
    for number in range(first, until // seconds + 1):
        inside = [one for one in ordered if (number - 1) * seconds < one["at"] <= number * seconds]
        if not inside:
            made.append(((number - 1) * seconds, close, close, close, close, 0.0))
            continue
        prices = [
            price
            for one in inside
            for price in (one["price_open"], one["price_high"], one["price_low"], one["price_close"])
            if price is not None and price > 0
        ]
        close = inside[-1]["price_close"]
        opened = inside[0]["price_open"] or inside[0]["price_close"]
        volume = sum(one["volume_sol"] or 0.0 for one in inside)
        made.append(((number - 1) * seconds, opened, max(prices), min(prices), close, volume))
    return made[-most:]


@pytest.mark.parametrize("seed", range(12))
async def test_candles_when_resampled_from_a_coin_then_equal_the_plain_formulation(
    pool: Pool, connection: Connection, seed: int
):
    draw = random.Random(seed)
    length, seconds = 40, (60, 300, 900)[seed % 3]
    origin = int(START.timestamp()) // seconds * seconds

    def price(spoiled: float) -> float | None:
        return draw.choice((None, 0.0)) if draw.random() < spoiled else 3e-8 * draw.uniform(0.5, 2)

    rows = []
    for _ in range(draw.choice((1, 5, 60))):
        at = draw.choice((draw.randrange(1, length * seconds), draw.randrange(1, length + 1) * seconds))
        values = {name: price(0.2) for name in ("price_open", "price_high", "price_low")}
        rows.append({"at": at, **values, "price_close": price(0.3), "volume_sol": draw.choice((None, 1.5, 2.0))})
    start = datetime.fromtimestamp(origin, UTC)
    shift = (start - START).total_seconds()
    await insert_rows(
        connection,
        [row("a", shift + one["at"], **{name: one[name] for name in one if name != "at"}) for one in rows]
        # Another coin tells how late it is.
        + [row("b", shift + length * seconds)],
    )
    expected = plainly(rows, seconds=seconds, until=length * seconds, most=length)
    wanted = {"symbol": "a", "interval_seconds": seconds, "source": "coin_metrics"}
    assert await count_closed(pool, **wanted, bars=length) == len(expected)
    for most in {1, len(expected) // 2, len(expected)} - {0}:
        if len(expected) < most:
            continue
        found = await closed_candles(pool, **wanted, bars=most)
        columns = (found.open_time / 1e6 - origin, found.open, found.high, found.low, found.close, found.volume)
        np.testing.assert_allclose(np.column_stack(columns), np.array(expected[-most:]), rtol=1e-12)
    with pytest.raises(TooFewCandles, match=f"have {len(expected)} of"):
        await closed_candles(pool, **wanted, bars=length + 1)
    if expected:
        silent = sum(one[5] == 0 for one in expected)
        assert without_trades(await closed_candles(pool, **wanted, bars=len(expected))) == silent


async def test_candles_when_the_table_is_large_then_no_question_reads_all_of_it(pool: Pool, connection: Connection):
    await connection.execute(
        "INSERT INTO candles (symbol, interval, open_time, open, high, low, close, volume)"
        " SELECT 'S' || s, i, '2026-01-01Z'::timestamptz + n * i::interval, 1, 1, 1, 1, 1"
        " FROM generate_series(1, 5) AS s, unnest('{1m,15m}'::text[]) AS i, generate_series(1, 3000) AS n"
    )
    await connection.execute("VACUUM ANALYZE candles")
    market = {"symbol": "S3", "interval": "15m"}
    asked: dict[str, dict[str, Any]] = {
        "newest": {**market, "until": START, "most": 1500},
        "count_run": {**market, "until": START, "most": 1500, "seconds": 900},
        "list_page": {**market, "since": START, "until": datetime.now(UTC), "before": datetime.now(UTC), "most": 500},
        "coverage": {**market, "seconds": 900},
        "gaps": {**market, "since": START, "seconds": 900, "most": 100},
        "series": {"after": "", "most": 100},
    }
    for name, given in asked.items():
        query = candles._queries[name]
        plan = await connection.fetch("EXPLAIN " + query.text, *query.arguments(given))
        text = "\n".join(record[0] for record in plan)
        assert "candles_pkey" in text
        assert "Seq Scan on candles" not in text, f"{name}: {text}"
    assert len(await candles.list_series(pool, after="S2", most=2)) == 4
