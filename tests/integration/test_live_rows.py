"""The live rule over rows as trackers really write them: gaps, repeats, other time zones, coins of one row."""

from pathlib import Path

import numpy as np
import pytest

from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.read import microseconds
from shared.db import Connection, Pool
from shared.features import FeatureSpec
from tests.support.arrivals import Loop, Shape, all_rows, answers_as_they_arrive, stored_answers
from tests.support.books import check_books
from tests.support.database import START, insert_rows, row
from tests.support.live import running_worker, settings, until_live, until_predicted
from tests.support.models import activate_model

FAMILIES = (
    "price_change", "price_roc", "volume_ratio", "price_volatility", "mcap_velocity", "price_range",
    "order_book_imbalance",
)  # fmt: skip
EVERYTHING = (*BASE_FEATURES, *(f"{family}_5" for family in FAMILIES))
NULLABLE = tuple(name for name in row("a") if name not in ("mint", "timestamp"))
SCALES = {"price_open": 1e-2, "price_high": 1e-2, "price_low": 1e-2, "price_close": 1e-2, "price_roc_5": 1e-2}


def holes(mint: str, *, seed: int) -> list[dict[str, object]]:
    """Give rows of a coin: one for each column that may be NULL, where it is; one with nothing; a few whole ones."""
    rng = np.random.default_rng(seed)
    missing = [*((name,) for name in NULLABLE), NULLABLE, (), (), NULLABLE, ()]
    return [
        row(
            mint, 60.0 * tick, price_close=float(3e-8 * np.exp(rng.normal(0, 0.3))), volume_sol=float(rng.random()),
            buy_volume_sol=float(rng.random()), market_cap_close=float(30 + rng.random()),
            is_koth=True,
        ) | dict.fromkeys(missing[place])
        for tick, place in enumerate(rng.permutation(len(missing)))
    ]  # fmt: skip


@pytest.mark.parametrize("gone", [(), ("unique_wallets", "is_koth")])
async def test_rows_when_any_column_may_be_null_or_is_not_there_then_each_is_answered_with_what_is_known(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, gone: tuple[str, ...]
):
    names = FeatureSpec(EVERYTHING).names
    shapes = [
        Shape(column=column, scale=SCALES.get(name, 0.1), features=EVERYTHING) for column, name in enumerate(names)
    ]
    active = [
        await activate_model(
            pool, tmp_path, model_id=1 + shape.column, column=shape.column, scale=shape.scale, features=EVERYTHING
        )
        for shape in shapes
    ]
    for name in gone:
        await connection.execute(f"ALTER TABLE coin_metrics DROP COLUMN {name}")
    rows = [*holes("a", seed=1), *holes("b", seed=2), row("one row", 30), row("one row of nothing", 30)]
    rows[-1] |= dict.fromkeys(NULLABLE)
    rows += [row("never a price", 60.0 * tick, price_close=None) for tick in range(7)]
    rows = [{name: value for name, value in entry.items() if name not in gone} for entry in rows]
    rows.sort(key=lambda entry: entry["timestamp"])
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        for at in range(0, len(rows), 3):
            await insert_rows(connection, rows[at : at + 3])
        assert (await check_books(connection)).owed == len(rows) * len(names) > 1000
    everything = await all_rows(connection)
    told = set()
    for shape, active_id in zip(shapes, active, strict=True):
        said = await stored_answers(connection, active_id)
        assert said == pytest.approx(answers_as_they_arrive(everything, shape), abs=1.1e-6)
        told.add(len(set(said.values())) > 1)
    # Else the comparison would show nothing: all features but those that are not there tell the rows apart.
    assert told == {True} if not gone else {True, False}


async def test_rows_when_numbers_are_no_numbers_or_beyond_all_bounds_then_they_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        await insert_rows(connection, [row("a", 1), row("a", 2, price_close=0.0), row("a", 3, price_close=-1e-8)])
        await connection.execute(
            "INSERT INTO coin_metrics (mint, timestamp, volume_sol, price_close)"
            " SELECT 'b', $1::timestamptz + n * interval '1 s',"
            " ('{NaN,1e400,-1e400,Infinity,0}'::numeric[])[n], ('{1e-400,Infinity,3e-8,NaN,-Infinity}'::numeric[])[n]"
            " FROM generate_series(1, 5) AS n",
            START,
        )
        await check_books(connection)
    assert await connection.fetchval("SELECT count(*) FROM predictions WHERE probability BETWEEN 0 AND 1") == 8


async def test_rows_when_a_key_repeats_then_the_highest_id_counts_for_all_that_is_answered_after_it(
    pool: Pool, connection: Connection, tmp_path: Path
):
    features = ("volume_sol", "price_change_5")
    volume = await activate_model(pool, tmp_path, model_id=1, features=features, column=0, scale=1.0)
    change = await activate_model(pool, tmp_path, model_id=2, features=features, column=1, scale=0.01)
    loop = Loop(pool, tmp_path)

    def said(values: dict[tuple[str, int], float]) -> dict[tuple[str, float], float]:
        return {(mint, (at - microseconds(START)) / 1e6): round(value, 4) for (mint, at), value in values.items()}

    # In one batch: one answer, from the row with the highest id, wherever it stands.
    await insert_rows(connection, [row("a", 1, volume_sol=1), row("b", 1), row("a", 1, volume_sol=3)])
    await insert_rows(connection, [row("a", 1, volume_sol=2)])
    await loop.catch_up()
    assert said(await stored_answers(connection, volume)) == {("a", 1): 0.8808, ("b", 1): 0.7311}
    # Later, when it is answered: the answer stays, alone or among others, before and after a restart.
    await insert_rows(connection, [row("a", 1, volume_sol=9)])
    await loop.catch_up()
    loop.forget()
    await insert_rows(connection, [row("b", 1, volume_sol=9), row("c", 1), row("a", 1, price_close=1.5e-8)])
    await loop.catch_up()
    assert said(await stored_answers(connection, volume)) == {("a", 1): 0.8808, ("b", 1): 0.7311, ("c", 1): 0.7311}
    # What comes after it is computed from the newest version: 1.5e-8 to 3e-8 is a rise by 100 %.
    await insert_rows(connection, [row("a", 2), row("b", 2)])
    await loop.catch_up()
    risen = said(await stored_answers(connection, change))
    assert (risen["a", 2], risen["b", 2]) == (0.7311, 0.5)
    await check_books(connection, duplicate=2 * 5)


async def test_rows_when_one_tracker_has_another_time_zone_then_its_rows_alone_wait_or_are_stale(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    for model_id in (1, 2):
        await activate_model(pool, tmp_path, model_id=model_id)
    now = (await connection.fetchval("SELECT now()") - START).total_seconds()
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        await insert_rows(connection, [row(f"coin {coin}", now) for coin in range(6)])
        strangers = [row(f"{hours:+} h", now + 3600 * hours) for hours in (2, -2, 9)]
        for stranger in strangers:
            await insert_rows(connection, [stranger])
        await insert_rows(connection, [row(f"coin {coin}", now + 1) for coin in range(6)])
        # What is two hours late is left out; what is ahead moves no clock, and waits.
        await until_predicted(connection, 2 * 12)
        assert await connection.fetchval("SELECT count(*) FROM predictions WHERE coin_id LIKE '%h'") == 0
        # The recording gets there, and beyond.
        for minutes in range(4, 10 * 60, 4):
            await insert_rows(connection, [row(f"coin {coin}", now + 60 * minutes) for coin in range(6)])
        assert (await check_books(connection, stale=2)).owed == 2 * (12 + 3 + 6 * 149)
    assert [record[0] for record in await connection.fetch(
        "SELECT DISTINCT coin_id FROM predictions WHERE coin_id LIKE '%h' ORDER BY 1"
    )] == ["+2 h", "+9 h"]  # fmt: skip
