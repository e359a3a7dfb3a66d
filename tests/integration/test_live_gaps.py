"""Ids that show up late, never, or out of all order: none of their rows is lost."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prediction_service.runtime.gaps import KEPT, Gaps
from prediction_service.usecases.models import deactivate
from shared.db import Connection, Pool
from tests.support.arrivals import (
    Loop,
    answered,
)
from tests.support.database import insert_rows, row
from tests.support.live import skipped
from tests.support.models import activate_model
from tests.support.writers import burn_ids, open_transaction


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gaps be looked after at every look, and be given up as soon as their transactions have ended."""
    monkeypatch.setattr("prediction_service.runtime.gaps.KEEP_SECONDS", 0.0)
    monkeypatch.setattr("prediction_service.usecases.live.TEND_SECONDS", 0.0)


async def pending(connection: Connection) -> list[list[int]]:
    return await connection.fetchval("SELECT pending FROM worker_positions WHERE name = 'live-0'")


async def until_none_is_older(connection: Connection, *, rounds: int = 1) -> AsyncIterator[None]:
    """Give turns until one in which no transaction, of other tests on this server, is older than the turn before it."""
    deadline = time.monotonic() + 60
    before = await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
    alone = False
    while rounds > 0 or not alone:
        assert time.monotonic() < deadline, "another test holds a transaction open"
        alone = before < await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        before = await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
        yield
        rounds -= 1


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
    async for _ in until_none_is_older(connection):
        await loop.catch_up()
    assert await pending(connection) == []


async def test_rows_when_more_appear_at_once_than_a_look_brings_then_none_is_given_up(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, impatient: None
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path, batch_size=8)
    (await loop.stand()).gaps = Gaps(kept=0)
    async with open_transaction(database) as slow:
        await insert_rows(slow, [row(f"slow{number:03d}", number, id=10 + 2 * number) for number in range(300)])
        await insert_rows(connection, [row("fast", number, id=11 + 2 * number) for number in range(300)])
        await loop.catch_up()
        assert await answered(connection) == ["fast"] * 300
        await slow.execute("COMMIT")
        await loop.catch_up()
    assert await answered(connection) == ["fast"] * 300 + [f"slow{number:03d}" for number in range(300)]
    async for _ in until_none_is_older(connection):
        await loop.catch_up()
    assert await pending(connection) == []


async def test_row_when_it_fills_a_gap_and_is_held_back_while_batches_overlap_then_it_is_held_once(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path, batch_size=2)
    async with open_transaction(database) as slow:
        await insert_rows(slow, [row("future", 10_000_000_000)])
        await insert_rows(connection, [row("a", 1)])
        await loop.catch_up()
        await slow.execute("COMMIT")
    await insert_rows(connection, [row("a", 2 + number) for number in range(6)])
    await loop.catch_up()
    assert (await loop.stand()).admission.held_ids() == [1]


async def test_gaps_when_rows_never_pause_then_only_a_few_of_them_stay(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, impatient: None
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    number = 0
    async for _ in until_none_is_older(connection, rounds=3 * KEPT // 10):
        for _ in range(10):
            await insert_rows(connection, [row("a", number)])
            await burn_ids(connection, 1)
            number += 1
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


@pytest.mark.parametrize("worker", ["running", "down"])
async def test_rows_when_the_table_is_emptied_and_filled_beyond_the_position_then_all_of_them_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, worker: str
):
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    await insert_rows(connection, [row(f"old{number}", 5000 + number) for number in range(5)])
    await loop.catch_up()
    if worker == "down":
        loop.forget()
    async with connection.transaction():
        await connection.execute("TRUNCATE coin_metrics RESTART IDENTITY")
        await insert_rows(connection, [row(f"new{number:02d}", number) for number in range(20)])
    await loop.catch_up()
    assert await answered(connection) == [
        *(f"new{number:02d}" for number in range(20)), *(f"old{number}" for number in range(5)),
    ]  # fmt: skip
    assert await skipped(connection) == {}


async def test_rows_when_the_table_is_only_rewritten_then_none_is_answered_again(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await insert_rows(connection, [row("before", number) for number in range(5)])
    await activate_model(pool, tmp_path)
    loop = Loop(pool, tmp_path)
    await insert_rows(connection, [row("a", 10), row("b", 11)])
    await loop.catch_up()
    await connection.execute("VACUUM FULL coin_metrics")
    await insert_rows(connection, [row("c", 12)])
    await loop.catch_up()
    loop.forget()
    await loop.catch_up()
    assert await answered(connection) == ["a", "b", "c"]
    assert await skipped(connection) == {}
