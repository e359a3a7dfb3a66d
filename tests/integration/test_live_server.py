"""The live rule while the ground moves: the server is stopped without warning and started again, the clock is set."""

import asyncio
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import pytest

from shared import cluster
from shared.db import Connection, ConnectionLost, Pool, PostgresError, connect, open_pool
from shared.migrate import SQL_FOLDER, migrate, run_script
from tests.support.arrivals import until_done
from tests.support.books import check_books, until_balanced
from tests.support.database import FAST, START, insert_rows, row
from tests.support.embedded import postmaster
from tests.support.live import running_worker, settings, until, until_live
from tests.support.models import activate_model
from tests.support.workers import WallClock, worker


async def connected_again(dsn: str) -> Connection:
    for _ in range(300):
        try:
            connection = await connect(dsn, application="tests")
            await connection.fetchval("SELECT 1")
        except (*ConnectionLost, PostgresError):
            await asyncio.sleep(0.1)
        else:
            return connection
    raise AssertionError("the server does not come back")


async def until_cut(connection: Connection) -> None:
    """Wait until the end of the sessions has reached this one: one that is opened before may be ended as well."""
    while True:
        try:
            await connection.fetchval("SELECT pg_sleep(0.05)")
        except (*ConnectionLost, PostgresError):
            connection.terminate()
            return


async def write_through(dsn: str, *, rows: int) -> None:
    """Commit rows in bursts, with a new connection where one is lost; what was under way then may be there or not."""
    rng = np.random.default_rng(7)
    connection, at = await connected_again(dsn), 0
    try:
        while at < rows:
            size = int(rng.integers(1, 40))
            try:
                await insert_rows(connection, [row(f"coin {number % 23}", number) for number in range(at, at + size)])
            except (*ConnectionLost, PostgresError):
                connection.terminate()
                connection = await connected_again(dsn)
            at += size
            # Long enough for answers to be there whose commits no later commit has brought to the disk yet.
            await asyncio.sleep(0.15 * float(rng.random()))
    finally:
        connection.terminate()


async def test_rows_when_the_server_is_stopped_and_started_while_they_stream_then_each_has_one_answer(tmp_path: Path):
    with tempfile.TemporaryDirectory(prefix="pumpcast-crash-") as folder, ExitStack() as starts:
        home, options = Path(folder), {**FAST, "synchronous_commit": "on", "full_page_writes": "on"}
        address = starts.enter_context(cluster.server(home / "postgres", options=options))
        dsn = address.dsn("postgres")
        run_script(dsn, SQL_FOLDER / "dev" / "coin_metrics.sql")
        migrate(dsn)
        pool = await open_pool(dsn, application="tests")
        for model_id in (1, 2):
            await activate_model(pool, tmp_path, model_id=model_id)
        await pool.close()
        async with running_worker(settings(dsn, tmp_path, polling_interval_seconds=1)):
            connection = await connect(dsn, application="tests")
            await until_live(connection)
            writing = asyncio.create_task(write_through(dsn, rows=2500))
            for part in (1, 2, 3):
                await until(connection, "SELECT count(*) >= $1 FROM predictions", part * 1000, expected=True)
                assert not writing.done()
                if part == 2:
                    # A server process that dies takes all sessions with it.
                    pid = "SELECT pid FROM pg_stat_activity WHERE application_name = 'prediction-worker' LIMIT 1"
                    os.kill(await connection.fetchval(pid), signal.SIGKILL)
                else:
                    await asyncio.to_thread(stop_at_once, home)
                    starts.enter_context(cluster.server(home / "postgres", options=options))
                await until_cut(connection)
                connection = await connected_again(dsn)
            await writing
            await until_done(connection)
            assert (await check_books(connection)).owed > 2 * 2300
            await connection.close()


def stop_at_once(home: Path) -> None:
    """Stop the server as a power cut does, and wait until it is gone."""
    server = psutil.Process(postmaster(home))
    server.send_signal(signal.SIGQUIT)
    server.wait(20)


@pytest.mark.skipif(sys.platform != "linux", reason="libfaketime is installed on Linux only")
async def test_rows_when_the_wall_clock_of_the_worker_jumps_then_each_has_one_answer(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    for model_id in (1, 2):
        await activate_model(pool, tmp_path, model_id=model_id)
    clock = WallClock(tmp_path / "clock")
    clock.jump(0)
    rng = np.random.default_rng(1)
    now = datetime.now(UTC).timestamp() - START.timestamp()
    jumps = [3600, -3600, 0, 2 * 86_400, -86_400, -30 * 86_400, -299, 301, 400 * 86_400, 0]
    with worker(database, tmp_path, **clock.environment):
        await until_live(connection)
        for number in range(600):
            if number % 60 == 30:
                # Else a slow machine might answer nothing between two jumps.
                await until_balanced(connection)
                clock.jump(jumps[number // 60])
            # A coin in five is a minute ahead of the others, as trackers are.
            await insert_rows(connection, [row(f"coin {number % 7}", now + number + (60 if number % 5 == 0 else 0))])
            await asyncio.sleep(float(rng.random()) * 0.02)
        assert (await check_books(connection)).owed == 1200
        # It was that process's clock indeed that moved.
        shown = "SELECT count(DISTINCT date_trunc('day', created_at)) FROM predictions"
        assert await connection.fetchval(shown) >= 5
