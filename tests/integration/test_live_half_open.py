"""Connections that are open and dead: nothing passes, nobody is told, and yet the worker goes on."""

import asyncio
from pathlib import Path

import pytest

from shared.db import Connection, connect, open_pool
from tests.support.books import check_books, until_balanced
from tests.support.database import TestServer, insert_rows, row
from tests.support.live import running_worker, settings, until_live
from tests.support.models import activate_model
from tests.support.proxy import Proxy, proxy

ROWS = 400


async def freeze_in_the_middle(there: Proxy, connection: Connection, application: str, ending: str) -> None:
    """Let rows stream, freeze connections in the middle of it, and some time later let them pass or break them off."""
    frozen = []
    for number in range(ROWS):
        await insert_rows(connection, [row(f"coin {number % 23}", number)])
        await asyncio.sleep(0.02)
        if number == ROWS // 4:
            frozen = there.freeze(application)
            assert frozen
        if number == 3 * ROWS // 4:
            for link in frozen:
                if ending == "cut":
                    link.cut()
                link.passes.set()


async def stream(postgres: TestServer, home: Path, application: str, ending: str) -> None:
    with postgres.fresh() as name:
        pool = await open_pool(postgres.dsn(name), application="tests")
        await activate_model(pool, home)
        await pool.close()
        connection = await connect(postgres.dsn(name), application="tests")
        async with proxy(postgres.tcp_dsn(name)) as there, running_worker(settings(there.dsn, home)):
            await until_live(connection)
            await freeze_in_the_middle(there, connection, application, ending)
            await check_books(connection)
        await connection.close()


@pytest.mark.parametrize("ending", ["cut", "thaws"])
async def test_rows_when_connections_are_half_open_then_the_worker_notices_and_goes_on(
    postgres: TestServer, tmp_path: Path, ending: str
):
    async with asyncio.TaskGroup() as group:
        for application in ("pumpcast listen", "pumpcast live lock", "prediction-worker", ""):
            group.create_task(stream(postgres, tmp_path / f"home{application}", application, ending))


async def test_rows_when_all_connections_of_a_worker_stay_half_open_then_another_one_takes_its_coins_over(
    postgres: TestServer, tmp_path: Path
):
    with postgres.fresh() as name:
        pool = await open_pool(postgres.dsn(name), application="tests")
        await activate_model(pool, tmp_path)
        await pool.close()
        connection = await connect(postgres.dsn(name), application="tests")
        async with proxy(postgres.tcp_dsn(name)) as there, running_worker(settings(there.dsn, tmp_path)):
            await until_live(connection)
            async with running_worker(settings(postgres.dsn(name), tmp_path)):
                await insert_rows(connection, [row(f"coin {coin}", 1) for coin in range(50)])
                await until_balanced(connection)
                there.freeze()
                there.takes.clear()
                for tick in range(20):
                    await insert_rows(connection, [row(f"coin {coin}", 2 + tick) for coin in range(50)])
                    await asyncio.sleep(0.1)
                await until_balanced(connection)
                there.cut()
            assert (await check_books(connection)).owed == 21 * 50
        await connection.close()
