"""Exactly one answer, and the same one, whatever order rows commit in and however they fall into batches."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prediction_service.runtime.gaps import KEPT, Gaps
from prediction_service.usecases.models import activate, deactivate
from shared.db import Connection, Pool, connect, open_pool
from tests.support.arrivals import (
    Key,
    Loop,
    Shape,
    all_rows,
    answers_as_they_arrive,
    split,
    stored_answers,
)
from tests.support.database import START, TestServer, insert_rows, row
from tests.support.live import skipped
from tests.support.models import activate_model

SHAPES = {1: Shape(column=1, scale=0.1), 2: Shape(column=2, scale=0.3), 3: Shape(column=3, scale=2.0)}
STALE = 600


def disordered(
    count: int, *, seed: int, coins: int = 5, repeats: float = 0.0, late: float = 0.3
) -> list[dict[str, Any]]:
    """Give rows of a few coins, many of them late by up to 12 minutes, some written a second time."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    taken: set[tuple[str, int]] = set()
    for number in range(count):
        if rows and rng.random() < repeats:
            # A repeat of one of the last rows, with another price.
            again = rows[-int(rng.integers(1, min(len(rows), 12) + 1))]
            rows.append(
                {**again, "price_close": float(again["price_close"] or 3e-8) * 1.5, "volume_sol": float(rng.random())}
            )
            continue
        mint = f"coin {rng.integers(coins)}"
        at = number * 7
        if rng.random() < late:
            at -= int(rng.integers(1, 720))
        while (mint, at) in taken:
            at += 1
        taken.add((mint, at))
        values = {
            "price_close": float(3e-8 * np.exp(rng.normal(0, 0.3))),
            "volume_sol": float(rng.random()),
            "buy_volume_sol": float(rng.random()),
            "sell_volume_sol": float(rng.random()),
        }
        if rng.random() < 0.05:
            values["price_close"] = None
        rows.append(row(mint, float(at), **values))
    return rows


@pytest.mark.parametrize("seed", range(6))
async def test_answers_when_rows_come_one_by_one_or_in_batches_then_they_are_the_same(
    postgres: TestServer, tmp_path: Path, seed: int
):
    rows = disordered(220, seed=seed, repeats=0.08 if seed % 2 else 0.0)
    rng = np.random.default_rng(seed)
    told: dict[str, dict[int, dict[Key, float]]] = {}
    repeated: set[Key] = set()
    for path in ("one by one", "small batches", "restarts", "at once"):
        with postgres.fresh() as name:
            pool = await open_pool(postgres.dsn(name), application="tests")
            try:
                async with pool.acquire() as connection:
                    active = {
                        number: await activate_model(
                            pool, tmp_path / path, model_id=number, column=shape.column, scale=shape.scale
                        )
                        for number, shape in SHAPES.items()
                    }
                    loop = Loop(pool, tmp_path / path)
                    sizes = {"one by one": [1] * len(rows), "at once": []}.get(path, rng.integers(1, 25, len(rows)))
                    for part in split(rows, list(sizes)):
                        await insert_rows(connection, part)
                        await loop.catch_up()
                        if path == "restarts":
                            loop.forget()
                    everything = await all_rows(connection)
                    keys = list(zip(everything.mint, everything.timestamp.tolist(), strict=True))
                    repeated = {key for key in keys if keys.count(key) > 1}
                    told[path] = {number: await stored_answers(connection, active[number]) for number in SHAPES}
            finally:
                await pool.close()
    for number, shape in SHAPES.items():
        expected = answers_as_they_arrive(everything, shape)
        first = told["one by one"][number]
        for path, answers in told.items():
            assert answers[number].keys() == first.keys(), path
            for key, probability in answers[number].items():
                # A row that came twice before it was answered counts with the later values.
                if key not in repeated:
                    assert probability == pytest.approx(expected[key], abs=1.1e-6), (path, number, key)


@asynccontextmanager
async def open_transaction(database: str) -> AsyncIterator[Connection]:
    """Give a connection inside a transaction; the test commits it, or it is rolled back."""
    session = await connect(database, application="tests")
    try:
        await session.execute("BEGIN")
        yield session
    finally:
        await session.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gaps be looked after at every look, and be given up as soon as their transactions have ended."""
    monkeypatch.setattr("prediction_service.runtime.gaps.KEEP_SECONDS", 0.0)
    monkeypatch.setattr("prediction_service.usecases.live.TEND_SECONDS", 0.0)


async def answered(connection: Connection) -> list[str]:
    return [record[0] for record in await connection.fetch("SELECT coin_id FROM predictions ORDER BY coin_id")]


async def pending(connection: Connection) -> list[list[int]]:
    return await connection.fetchval("SELECT pending FROM worker_positions WHERE name = 'live'")


async def test_rows_when_a_transaction_outlives_the_worker_then_its_commit_alone_is_enough(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    async with open_transaction(database) as slow:
        await insert_rows(slow, [row("slow", 1)])
        await insert_rows(connection, [row("fast", 2)])
        await loop.catch_up()
        loop.forget()
        await loop.catch_up()
        await slow.execute("COMMIT")
        await loop.catch_up()
    assert await answered(connection) == ["fast", "slow"]


async def test_rows_when_held_back_before_a_restart_then_the_wall_clock_alone_releases_them(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    ahead = (await connection.fetchval("SELECT now()") - START).total_seconds() + 400
    await insert_rows(connection, [row(mint, ahead - 400) for mint in "abc"] + [row("ahead", ahead)])
    await loop.catch_up()
    assert await answered(connection) == ["a", "b", "c"]
    loop.forget()
    await loop.catch_up()
    monkeypatch.setattr("prediction_service.usecases.live.time", _Later(seconds=200))
    await loop.catch_up()
    assert await answered(connection) == ["a", "ahead", "b", "c"]


class _Later:
    """The time module, some seconds later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def time_ns(self) -> int:
        return time.time_ns() + int(self._seconds * 1e9)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


async def test_rows_when_their_transaction_has_a_higher_number_than_the_one_that_showed_the_gap_then_they_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, impatient: None
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    (await loop.stand()).gaps = Gaps(kept=0)
    async with open_transaction(database) as fast, open_transaction(database) as slow:
        await fast.execute("SELECT pg_current_xact_id()")
        await insert_rows(slow, [row("slow", 1)])
        await insert_rows(fast, [row("fast", 2)])
        await fast.execute("COMMIT")
        for _ in range(3):
            await loop.catch_up()
        assert await answered(connection) == ["fast"]
        await slow.execute("COMMIT")
        await loop.catch_up()
    assert await answered(connection) == ["fast", "slow"]
    assert await pending(connection) == []


async def burn_ids(connection: Connection, count: int) -> None:
    """Use up ids as rolled back transactions and ON CONFLICT do."""
    await connection.fetchval(
        "SELECT max(nextval(pg_get_serial_sequence('coin_metrics', 'id'))) FROM generate_series(1, $1)", count
    )


async def test_gaps_when_rows_never_pause_then_only_a_few_of_them_stay(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, impatient: None
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    for number in range(3 * KEPT):
        await insert_rows(connection, [row("a", number)])
        await burn_ids(connection, 1)
        if number % 10 == 9:
            assert await loop.look()
    assert 0 < len(await pending(connection)) <= KEPT + 10


async def test_rows_when_one_has_an_id_written_by_hand_far_above_then_the_following_ones_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, impatient: None
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    await insert_rows(connection, [row("a", 1)])
    await insert_rows(connection, [row("by hand", 2, id=1_000_000_000)])
    for number in range(2 * KEPT):
        await insert_rows(connection, [row(f"b{number:03d}", 3 + number)])
        await burn_ids(connection, 3)
        await loop.catch_up()
    loop.forget()
    await insert_rows(connection, [row("c", 500)])
    await loop.catch_up()
    assert await answered(connection) == ["a", *(f"b{number:03d}" for number in range(2 * KEPT)), "by hand", "c"]


async def test_rows_when_an_id_was_written_by_hand_before_the_first_model_then_the_following_ones_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await insert_rows(connection, [row("a", 1)])
    await insert_rows(connection, [row("by hand", 2, id=1_000_000_000)])
    await activate_model(pool, tmp_path)
    await insert_rows(connection, [row("b", 3)])
    await Loop(pool, tmp_path).catch_up()
    assert await answered(connection) == ["b"]


async def test_model_when_deactivated_then_it_is_kept_only_until_it_owes_nothing(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    first = await activate_model(pool, tmp_path, model_id=1)
    await activate_model(pool, tmp_path, model_id=2)
    loop = Loop(pool, tmp_path)
    async with open_transaction(database) as slow:
        await insert_rows(slow, [row("slow", 1)])
        await burn_ids(connection, 5)
        await insert_rows(connection, [row("before", 2)])
        await deactivate(pool, first)
        await slow.execute("COMMIT")
        await insert_rows(connection, [row("after", 3)])
    await insert_rows(connection, [row("later", 4)])
    assert len((await loop.stand()).models.models) == 2
    await loop.catch_up()
    loop.forget()
    assert [model.active_id for model in (await loop.stand()).models.models] == [2]
    said = await connection.fetch("SELECT active_model_id, coin_id FROM predictions ORDER BY 1, 2")
    assert [tuple(record) for record in said] == [
        (1, "before"), (2, "after"), (2, "before"), (2, "later"), (2, "slow"),
    ]  # fmt: skip


async def test_row_when_owed_and_repeated_after_the_deactivation_then_it_is_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    first = await activate_model(pool, tmp_path, model_id=1)
    second = await activate_model(pool, tmp_path, model_id=2)
    await insert_rows(connection, [row("a", 1)])
    await deactivate(pool, first)
    await insert_rows(connection, [row("a", 1, volume_sol=9.0), row("b", 1)])
    await Loop(pool, tmp_path).catch_up()
    assert {key[0] for key in await stored_answers(connection, first)} == {"a"}
    assert {key[0] for key in await stored_answers(connection, second)} == {"a", "b"}
    assert await skipped(connection) == {"duplicate": 1}
    assert await activate(pool, first)


async def test_row_when_ahead_of_its_time_and_then_reached_by_the_others_then_it_is_answered_however_they_come(
    postgres: TestServer, tmp_path: Path
):
    for size in (1, 1000):
        with postgres.fresh() as name:
            pool = await open_pool(postgres.dsn(name), application="tests")
            try:
                async with pool.acquire() as connection:
                    await activate_model(pool, tmp_path / str(size))
                    loop = Loop(pool, tmp_path / str(size))
                    base = (await connection.fetchval("SELECT now()") - START).total_seconds() + 86_400
                    rows = [row(mint, base) for mint in "abc"]
                    rows.append(row("ahead", base + 1200))
                    rows += [row(mint, base + 60 * minute) for minute in range(1, 41) for mint in "abc"]
                    # In a hole of the recording one coin was traded once.
                    rows.append(row("lone", base + 2 * 3600))
                    rows += [row(mint, base + 6 * 3600) for mint in "abc"]
                    for part in split(rows, [size] * len(rows)):
                        await insert_rows(connection, part)
                        await loop.catch_up()
                    assert await connection.fetchval("SELECT count(*) FROM predictions") == len(rows)
                    assert await skipped(connection) == {}
            finally:
                await pool.close()


async def test_rows_when_one_has_a_time_beyond_all_calendars_then_the_others_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    await insert_rows(connection, [row(mint, 1) for mint in "abc"])
    for text in ("57650-09-08 06:40:00+00", "0044-03-15 00:00:00+00 BC", "infinity", "-infinity"):
        await connection.execute("INSERT INTO coin_metrics (mint, timestamp) VALUES ('a', $1::text::timestamptz)", text)
    await insert_rows(connection, [row(mint, 2) for mint in "abc"])
    await loop.catch_up()
    loop.forget()
    await insert_rows(connection, [row(mint, 3) for mint in "abc"])
    await loop.catch_up()
    assert len(await answered(connection)) == 9
