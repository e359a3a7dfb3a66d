"""What the loop keeps in memory at a change of models, at a fault, and at a take-over: only what is still right."""

from pathlib import Path
from typing import Any

import pytest

from prediction_service.runtime.shards import ALL, shard_of
from prediction_service.store import positions
from prediction_service.usecases import live, warm_start
from shared.db import Connection, Pool
from tests.support.arrivals import Loop, Shape, all_rows, answers_as_they_arrive, stored_answers
from tests.support.database import insert_rows, row
from tests.support.models import activate_model

LOW = frozenset(range(4))


def prices(mint: str, *, start: int, count: int) -> list[dict[str, Any]]:
    return [row(mint, start + number, price_close=3e-8 * (1 + 0.01 * (start + number))) for number in range(count)]


async def test_model_when_it_looks_further_back_than_those_before_then_it_is_answered_beside_them(
    pool: Pool, connection: Connection, tmp_path: Path
):
    short, long = ("volume_sol", "price_change_5"), ("volume_sol", "price_change_15")
    await activate_model(pool, tmp_path, model_id=1, features=short)
    loop = Loop(pool, tmp_path)
    await insert_rows(connection, prices("a", start=0, count=30))
    await loop.catch_up()
    second = await activate_model(pool, tmp_path, model_id=2, features=long)
    await insert_rows(connection, prices("a", start=30, count=3))
    await loop.catch_up()
    expected = answers_as_they_arrive(await all_rows(connection), Shape(features=long))
    said = await stored_answers(connection, second)
    assert len(said) == 3
    assert said == pytest.approx({key: expected[key] for key in said}, abs=1.1e-6)


async def test_rows_when_they_came_during_a_fault_then_they_count_as_missed_though_memory_is_kept(
    pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    await insert_rows(connection, [row("a", 1)])
    await loop.catch_up()
    (await loop.stand()).catching_up = True
    await loop.compare()
    await insert_rows(connection, [row("b", 2), row("c", 3)])
    stand = await loop.stand()
    assert (stand.missed, stand.catching_up) == (3, True)


async def test_rows_when_the_process_stood_still_then_they_count_as_missed(
    pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path, polling_interval_seconds=1)
    await insert_rows(connection, [row("a", 1)])
    await loop.catch_up()
    assert (await loop.stand()).missed == 1
    await insert_rows(connection, [row("b", 2), row("c", 3)])
    (await loop.stand()).looked -= live.OUTAGE_SECONDS + 2
    await loop.look()
    assert (await loop.stand()).missed == 3


async def test_rows_when_a_take_over_failed_half_way_then_no_history_of_that_time_is_used(
    pool: Pool, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    active_id = await activate_model(pool, tmp_path)
    mint = next(name for name in (f"coin {number}" for number in range(100)) if shard_of(name) not in LOW)
    one, other = Loop(pool, tmp_path, shards=LOW), Loop(pool, tmp_path, shards=ALL - LOW)
    await one.stand()
    await insert_rows(connection, prices(mint, start=0, count=3))
    await other.catch_up()
    await one.catch_up()
    await one.compare()
    one.shards = ALL

    async def gone(*_: Any) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(positions, "newest_mints", gone)
        with pytest.raises(ConnectionError):
            await one.stand()
    one.shards = LOW
    await insert_rows(connection, prices(mint, start=10, count=3))
    other.forget()
    for loop in (one, other):
        await loop.catch_up()
    # As if the coin were not among those that a take-over reads.
    monkeypatch.setattr(warm_start, "MOST_COINS", 0)
    await one.compare()
    one.shards = ALL
    await insert_rows(connection, prices(mint, start=30, count=1))
    await one.catch_up()
    expected = answers_as_they_arrive(await all_rows(connection), Shape())
    assert await stored_answers(connection, active_id) == pytest.approx(expected, abs=1.1e-6)
