"""Writers race, models come and go, the worker is down: each model answers exactly the rows it owes."""

import asyncio
import math
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from prediction_service.usecases.models import activate, deactivate, delete
from shared.db import Connection, Pool
from tests.support.arrivals import (
    Loop,
    answered,
    stored_answers,
    until_done,
)
from tests.support.database import insert_rows, row
from tests.support.live import running_worker, settings, skipped, until_live
from tests.support.models import activate_model
from tests.support.writers import Switched, Written, answered_rows, open_transaction, write_randomly


async def switch(pool: Pool, active_id: int, *, rng: np.random.Generator) -> list[Switched]:
    """Deactivate and activate a model again and again; give when it was active."""
    times = [Switched(-math.inf, -math.inf)]
    for _ in range(6):
        await asyncio.sleep(0.1 + 0.4 * float(rng.random()))
        times[-1].off_began = time.monotonic()
        assert await deactivate(pool, active_id)
        times[-1].off_ended = time.monotonic()
        await asyncio.sleep(0.3 * float(rng.random()))
        began = time.monotonic()
        assert await activate(pool, active_id)
        times.append(Switched(began, time.monotonic()))
    return times


def keys(rows: Iterable[Written]) -> set[tuple[str, float]]:
    return {(row.mint, row.at) for row in rows}


@pytest.mark.parametrize("seed", [1, 2])
async def test_rows_when_writers_race_and_models_come_and_go_then_each_model_answers_what_it_owes(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, seed: int
):
    always = await activate_model(pool, tmp_path, model_id=1)
    some_phases = await activate_model(pool, tmp_path, model_id=2, phases=(1, 99))
    switched = await activate_model(pool, tmp_path, model_id=3)
    written: list[Written] = []
    stop = asyncio.Event()
    async with running_worker(settings(database, tmp_path, polling_interval_seconds=0.5)):
        await until_live(connection)
        async with asyncio.TaskGroup() as group:
            for writer in range(8):
                group.create_task(write_randomly(database, written, writer=writer, seed=seed, stop=stop))
            times = await switch(pool, switched, rng=np.random.default_rng(seed))
            began = time.monotonic()
            newcomer = await activate_model(pool, tmp_path, model_id=5)
            new = [Switched(began, time.monotonic())]
            await asyncio.sleep(0.5)
            stop.set()
        await until_done(connection)

    assert len(keys(written)) == len(written) > 300
    assert await answered_rows(connection, always) == keys(written)
    assert await answered_rows(connection, some_phases) == keys(row for row in written if row.phase in (1, 99))
    for active_id, active in ((switched, times), (newcomer, new)):
        said = await answered_rows(connection, active_id)
        owed = keys(row for row in written if any(one.owes(row) for one in active))
        not_owed = keys(row for row in written if all(one.owes(row) is False for one in active))
        assert owed
        assert not_owed
        assert owed <= said
        assert not said & not_owed
    assert set(await skipped(connection)) == {"phase"}


async def test_model_when_deleted_while_rows_stream_then_it_answers_no_later_row_and_the_others_go_on(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    always = await activate_model(pool, tmp_path, model_id=1)
    deleted = await activate_model(pool, tmp_path, model_id=2)
    written: list[Written] = []
    stop = asyncio.Event()
    configured = settings(database, tmp_path)
    async with running_worker(configured):
        await until_live(connection)
        async with asyncio.TaskGroup() as group:
            for writer in range(4):
                group.create_task(write_randomly(database, written, writer=writer, seed=3, stop=stop))
            await asyncio.sleep(0.7)
            await delete(pool, configured, deleted)
            ended = time.monotonic()
            await asyncio.sleep(0.7)
            stop.set()
        await until_done(connection)
    assert await answered_rows(connection, always) == keys(written)
    said = await answered_rows(connection, deleted)
    assert said
    assert not said & keys(row for row in written if row.began > ended)


async def test_rows_when_a_model_is_deactivated_while_the_worker_is_down_then_those_before_it_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    first = await activate_model(pool, tmp_path, model_id=1)
    configured = settings(database, tmp_path)
    async with running_worker(configured):
        await until_live(connection)
        await insert_rows(connection, [row("live", 1)])
        await until_done(connection)
    async with open_transaction(database) as slow:
        await insert_rows(slow, [row("beside", 2)])
        await insert_rows(connection, [row("before", 3)])
        assert await deactivate(pool, first)
        await slow.execute("COMMIT")
    await insert_rows(connection, [row("between", 4)])
    assert await activate(pool, first)
    await insert_rows(connection, [row("again", 5)])
    assert await deactivate(pool, first)
    await insert_rows(connection, [row("after", 6)])
    async with running_worker(configured):
        await until_done(connection)
    assert await answered(connection) == ["again", "before", "live"]


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


async def test_alerts_when_the_worker_is_never_idle_after_an_outage_then_those_of_new_rows_are_sent(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await connection.execute(
        "INSERT INTO webhook_endpoints (url, secret) VALUES ('http://127.0.0.1:9/', 'whsec_c2VjcmV0IG9mIGEgdGVzdA==')"
    )
    await activate_model(pool, tmp_path, alert_threshold=0.0)
    loop = Loop(pool, tmp_path)
    await insert_rows(connection, [row("missed", 1)])
    # Rows of an old recording, and every look finds some: only what the outage held back is too old to be sent.
    for number in range(5):
        await loop.stand()
        await insert_rows(connection, [row("live", 2 + number)])
        assert await loop.look()
    sent = await connection.fetch("SELECT coin_id FROM webhook_deliveries")
    assert [record[0] for record in sent] == ["live"] * 5
