"""Shards are shared out among sessions; a session frozen in the middle of its rows blocks nobody for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from prediction_service.usecases.leadership import Duty, lead
from shared.db import Connection, PostgresError, connect
from tests.support.live import until


@asynccontextmanager
async def member(dsn: str) -> AsyncIterator[Duty]:
    """Take part like a worker whose loop always does what it is told."""
    duty = Duty()

    async def follow() -> None:
        while True:
            duty.use(duty.assigned)
            await duty.change()

    tasks = [asyncio.create_task(lead(dsn, duty)), asyncio.create_task(follow())]
    try:
        yield duty
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_shares(*expected: int, among: list[Duty]) -> None:
    for _ in range(200):
        held = [duty.in_use for duty in among]
        if sorted(map(len, held)) == sorted(expected) and len(frozenset().union(*held)) == sum(expected):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{[sorted(duty.in_use) for duty in among]} is not shared as {expected}")


async def test_shards_when_workers_come_and_go_then_each_has_its_share_and_none_has_two_holders(database: str):
    async with member(database) as first:
        await until_shares(8, among=[first])
        async with member(database) as second:
            await until_shares(4, 4, among=[first, second])
            async with member(database) as third:
                await until_shares(3, 3, 2, among=[first, second, third])
            await until_shares(4, 4, among=[first, second])
        await until_shares(8, among=[first])


async def test_session_when_frozen_in_the_middle_of_its_rows_then_it_is_ended(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("prediction_service.usecases.leadership.SILENT_SECONDS", 1)
    written = asyncio.Event()

    async def rows() -> AsyncIterator[bytes]:
        yield b"frozen\n"
        await written.wait()

    await connection.execute("CREATE TABLE written (name text PRIMARY KEY)")
    frozen = await connect(database, application="prediction-worker")
    writing = asyncio.create_task(frozen.copy_to_table("written", source=rows()))
    # The server is shared with other tests.
    frozen_sessions = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event = 'ClientRead' AND query LIKE 'COPY%'"
    )
    await until(connection, frozen_sessions, expected=1)
    async with member(database):
        await until(connection, frozen_sessions, expected=0)
    written.set()
    with pytest.raises((PostgresError, OSError)):
        await writing
    frozen.terminate()
