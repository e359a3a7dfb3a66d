"""The same answers, however rows come: live, in one catch-up, by polling, in any batches, with any timestamps."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.db import Connection, Pool, open_pool
from tests.support.arrivals import (
    Key,
    Loop,
    Shape,
    all_rows,
    answered,
    answers_as_they_arrive,
    disordered,
    split,
    stored_answers,
    until_done,
)
from tests.support.database import START, TestServer, insert_rows, row
from tests.support.live import running_worker, settings, skipped, until_live
from tests.support.models import activate_model

SHAPES = {1: Shape(column=1, scale=0.1), 2: Shape(column=2, scale=0.3), 3: Shape(column=3, scale=2.0)}


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


async def test_answers_when_told_live_in_one_catch_up_or_by_polling_alone_then_they_are_the_same(
    postgres: TestServer, tmp_path: Path
):
    rows = disordered(250, seed=11)
    told: dict[str, dict[int, dict[Key, float]]] = {}
    for path in ("live", "catch-up", "polling"):
        with postgres.fresh() as name:
            home = tmp_path / path
            pool = await open_pool(postgres.dsn(name), application="tests")
            configured = settings(postgres.dsn(name), home, polling_interval_seconds=0.05 if path == "polling" else 30)
            try:
                async with pool.acquire() as connection:
                    if path == "polling":
                        await connection.execute(
                            "CREATE OR REPLACE FUNCTION pumpcast_wakeup() RETURNS trigger LANGUAGE plpgsql AS"
                            " 'BEGIN RETURN NULL; END'"
                        )
                    active = {
                        number: await activate_model(
                            pool, home, model_id=number, column=shape.column, scale=shape.scale
                        )
                        for number, shape in SHAPES.items()
                    }
                    if path == "catch-up":
                        for entry in rows:
                            await insert_rows(connection, [entry])
                    async with running_worker(configured):
                        await until_live(connection)
                        for entry in rows if path != "catch-up" else ():
                            await insert_rows(connection, [entry])
                        await until_done(connection)
                    everything = await all_rows(connection)
                    told[path] = {number: await stored_answers(connection, active[number]) for number in SHAPES}
                    left_out = sum((await skipped(connection)).values())
            finally:
                await pool.close()
        assert sum(len(answers) for answers in told[path].values()) + left_out == len(SHAPES) * len(rows)
    assert told["live"] == told["catch-up"] == told["polling"]
    for number, shape in SHAPES.items():
        expected = answers_as_they_arrive(everything, shape)
        assert told["live"][number] == pytest.approx({key: expected[key] for key in told["live"][number]}, abs=1.1e-6)


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
    monkeypatch.setattr("prediction_service.usecases.live_step.time", _Later(seconds=200))
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
