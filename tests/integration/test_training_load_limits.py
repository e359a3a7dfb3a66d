"""How long reading may take, and what is left of it when its process is gone."""

import asyncio
import sys
from dataclasses import replace

import pytest

from shared.coin_metrics.load import LoadTookTooLong, load
from shared.db import connect
from tests.integration.test_training_load import fill, ticks
from tests.integration.test_training_load_sample import PLAIN

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
PROGRAM = """
import sys
from shared.coin_metrics.load import load
from tests.integration.test_training_load_sample import PLAIN
load(sys.argv[1], PLAIN)
"""


@pytest.fixture
async def filled(database):
    await fill(database, [entry for mint in "ABC" for entry in ticks(mint, range(20))])
    return database


async def test_a_table_that_is_locked_is_told_after_the_patience(filled):
    connection = await connect(filled)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE coin_metrics IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(LoadTookTooLong, match="coin_metrics is locked by another session"):
                load(filled, replace(PLAIN, patience_seconds=0.2))
    finally:
        await connection.close()


async def test_all_statements_together_have_the_patience(filled):
    with pytest.raises(LoadTookTooLong, match=r"reading coin_metrics took longer than 0\.001 s"):
        load(filled, replace(PLAIN, patience_seconds=0.001))


async def test_a_process_that_is_killed_leaves_no_statement_behind(filled, pool):
    connection = await connect(filled)

    async def waiting(count):
        async with asyncio.timeout(30):
            while await pool.fetchval(WAITING) != count:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE coin_metrics IN ACCESS EXCLUSIVE MODE")
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, filled)
            await waiting(1)
            process.kill()
            await process.wait()
            # The lock is held throughout: without a look at its client the server would wait with it.
            await waiting(0)
    finally:
        await connection.close()
