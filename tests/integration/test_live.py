"""The live rule: every row that commits while a model is active is answered exactly once."""

import asyncio
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from shared.db import Connection, Pool, connect
from tests.support.books import check_books
from tests.support.database import START, insert_rows, row
from tests.support.live import (
    offline_probabilities,
    running_worker,
    settings,
    skipped,
    until,
    until_live,
    until_predicted,
)
from tests.support.models import FEATURES, activate_model


def walk(mint: str, count: int, *, seed: int, step: float = 5.0, start: float = 0.0) -> list[dict[str, object]]:
    """Give rows of one coin whose price wanders, with gaps of irregular length."""
    rng = np.random.default_rng(seed)
    prices = 3e-8 * np.exp(np.cumsum(rng.normal(0, 0.2, count)))
    # The same ticks for every coin, as a tracker writes them.
    at = start + np.cumsum(np.random.default_rng(0).integers(1, 4, count)) * step
    return [
        row(mint, float(second), price_close=float(price), volume_sol=float(rng.random()))
        for second, price in zip(at, prices, strict=True)
    ]


async def test_rows_when_inserted_live_then_each_model_answers_as_computed_from_the_whole_history(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await insert_rows(connection, walk("history", 40, seed=1))
    await activate_model(pool, tmp_path, model_id=1, column=1, scale=0.1)
    await activate_model(pool, tmp_path, model_id=2, column=2, scale=0.3)
    later = {mint: walk(mint, 30, seed=seed, start=700) for seed, mint in enumerate(["history", "new", "other"])}
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        for index in range(30):
            await insert_rows(connection, [rows[index] for rows in later.values()])
        await until_predicted(connection, 2 * 90)

    for model_id, column, scale in ((1, 1, 0.1), (2, 2, 0.3)):
        for mint in later:
            expected = await offline_probabilities(connection, mint, FEATURES, column=column, scale=scale)
            stored = await connection.fetch(
                "SELECT data_timestamp, probability FROM predictions WHERE model_id = $1 AND coin_id = $2",
                model_id,
                mint,
            )
            assert len(stored) == 30
            for record in stored:
                assert record["probability"] == pytest.approx(expected[record["data_timestamp"]], abs=2e-6)


async def test_rows_when_committed_before_the_activation_then_they_are_not_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    async with running_worker(settings(database, tmp_path)):
        await insert_rows(connection, [row("a", n) for n in range(5)])
        await activate_model(pool, tmp_path)
        await insert_rows(connection, [row("a", 10 + n) for n in range(3)])
        await until_predicted(connection, 3)
        await insert_rows(connection, [row("a", 100)])
        await until_predicted(connection, 4)
    assert await connection.fetchval("SELECT min(data_timestamp) FROM predictions") == START + timedelta(seconds=10)


async def test_rows_when_a_transaction_stays_open_across_the_position_then_they_are_answered_after_its_commit(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    slow = await connect(database)
    try:
        async with running_worker(settings(database, tmp_path)):
            await until_live(connection)
            transaction = slow.transaction()
            await transaction.start()
            await insert_rows(slow, [row("slow", n) for n in range(3)])
            await insert_rows(connection, [row("fast", 60 + n) for n in range(5)])
            await until_predicted(connection, 5)
            await asyncio.sleep(3)
            await insert_rows(connection, [row("fast", 70)])
            await until_predicted(connection, 6)
            await transaction.commit()
            assert (await check_books(connection)).owed == 9
    finally:
        await slow.close()


async def test_rows_when_a_transaction_opened_before_the_activation_commits_after_it_then_they_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
    slow = await connect(database)
    try:
        transaction = slow.transaction()
        await transaction.start()
        await insert_rows(slow, [row("slow", 1)])
        await insert_rows(connection, [row("early", 2)])
        await activate_model(pool, tmp_path)
        async with running_worker(settings(database, tmp_path)):
            await until_live(connection)
            await transaction.commit()
            await until_predicted(connection, 1)
    finally:
        await slow.close()
    assert await connection.fetchval("SELECT coin_id FROM predictions") == "slow"


async def test_rows_when_the_worker_was_down_for_days_then_all_of_them_are_answered_as_if_live(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    configured = settings(database, tmp_path, batch_size=50)
    rows = {mint: walk(mint, 120, seed=seed, step=900) for seed, mint in enumerate(["a", "b", "c", "d"])}
    async with running_worker(configured):
        await until_live(connection)
        await insert_rows(connection, [coin[0] for coin in rows.values()])
        await until_predicted(connection, 4)
    for index in range(1, 120):
        await insert_rows(connection, [coin[index] for coin in rows.values()])
    async with running_worker(configured):
        await until_predicted(connection, 480)

    assert await skipped(connection) == {}
    for mint in rows:
        expected = await offline_probabilities(connection, mint, FEATURES, column=1, scale=0.1)
        for record in await connection.fetch("SELECT * FROM predictions WHERE coin_id = $1", mint):
            assert record["probability"] == pytest.approx(expected[record["data_timestamp"]], abs=2e-6)


async def test_rows_when_one_of_a_thousand_is_23_hours_ahead_then_it_changes_nothing(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    now = (await connection.fetchval("SELECT now()")) - START
    base = now.total_seconds() - 600
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        await insert_rows(connection, [row(f"coin {n % 50}", base + n * 0.5) for n in range(500)])
        await insert_rows(connection, [row("traveller", base + 23 * 3600)])
        await insert_rows(connection, [row(f"coin {n % 50}", base + n * 0.5) for n in range(500, 1000)])
        await until_predicted(connection, 1000)
        await until(
            connection, "SELECT (status ->> 'held')::int FROM worker_positions WHERE name = 'live-0'", expected=1
        )
    assert await skipped(connection) == {}
    assert await connection.fetchval("SELECT count(*) FROM predictions WHERE coin_id = 'traveller'") == 0
    clock = await connection.fetchval("SELECT clock FROM worker_positions WHERE name = 'live-0'")
    assert clock == START + timedelta(seconds=base + 499.5)


async def test_rows_when_a_held_row_survives_a_restart_then_its_confirmation_releases_it(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    ahead = (await connection.fetchval("SELECT now()") - START).total_seconds() + 6 * 3600
    configured = settings(database, tmp_path)
    async with running_worker(configured):
        await until_live(connection)
        await insert_rows(connection, [row(f"coin {n}", ahead - 6 * 3600 - 60) for n in range(5)])
        await insert_rows(connection, [row("one", ahead), row("two", ahead)])
        await until_predicted(connection, 5)
    async with running_worker(configured):
        await until_live(connection)
        await insert_rows(connection, [row("three", ahead + 1)])
        await until_predicted(connection, 8)


async def test_rows_when_the_recording_had_a_hole_of_six_hours_then_the_replay_goes_on(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    base = (await connection.fetchval("SELECT now()") - START).total_seconds()
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        for hour in (0, 6.5, 13):
            for tick in range(10):
                at = base + hour * 3600 + tick * 5
                await insert_rows(connection, [row(f"coin {n}", at) for n in range(6)])
        await until_predicted(connection, 180)
    assert await skipped(connection) == {}


async def test_rows_when_a_key_repeats_then_there_is_one_answer_and_the_repeat_is_counted(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    configured = settings(database, tmp_path)
    async with running_worker(configured):
        await until_live(connection)
        await insert_rows(connection, [row("a", 1), row("a", 2)])
        await until_predicted(connection, 2)
        await insert_rows(connection, [row("a", 1, price_close=4e-8), row("a", 2, price_close=5e-8)])
        await insert_rows(connection, [row("b", 3)])
        await until_predicted(connection, 3)
    # What memory knew is gone after a restart: the table itself tells the repeat.
    async with running_worker(configured):
        await insert_rows(connection, [row("a", 2, price_close=6e-8), row("c", 4)])
        await until_predicted(connection, 4)
    assert await skipped(connection) == {"duplicate": 3}


async def test_rows_when_late_on_arrival_then_they_are_stale_beyond_the_limit_and_answered_within(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    async with running_worker(settings(database, tmp_path, catchup_max_age_seconds=60)):
        await until_live(connection)
        await insert_rows(connection, [row("a", 1000)])
        await insert_rows(connection, [row("a", 900), row("a", 950)])
        await insert_rows(connection, [row("a", 1001)])
        await until_predicted(connection, 3)
    assert await skipped(connection) == {"stale": 1}
