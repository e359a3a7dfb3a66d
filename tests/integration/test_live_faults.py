"""The live rule while sessions die: killed listeners and pools, two workers, a table that comes late or is emptied."""

import asyncio
from pathlib import Path

import pytest

from shared.db import Connection, Pool, connect, open_pool
from tests.support.books import check_books
from tests.support.database import insert_rows, row
from tests.support.live import running_worker, settings, skipped, until, until_live, until_predicted
from tests.support.models import activate_model

ROWS = 10_000
KILLS = 20
LISTENER = "pumpcast listen coin_metrics_insert"


async def kill(connection: Connection, application: str) -> int:
    """End the sessions of clients whose name begins so; give how many there were."""
    ended = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND starts_with(application_name, $1)",
        application,
    )
    return len(ended)


async def until_there(connection: Connection, application: str, sessions: int) -> None:
    count = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND starts_with(application_name, $1)"
        " AND query <> ''"
    )
    await until(connection, count, application, expected=sessions)


async def test_rows_when_the_listener_is_killed_20_times_in_10_000_inserts_then_none_is_lost(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shared.wakeup.RECONNECT_SECONDS", 0.1)
    for model_id in (1, 2):
        await activate_model(pool, tmp_path, model_id=model_id)
    insert = (
        "INSERT INTO coin_metrics (mint, timestamp, price_close, volume_sol)"
        " SELECT 'coin ' || n % 50, '2026-03-01T12:00Z'::timestamptz + n * interval '1 second', 3e-8, 1"
        " FROM generate_series($1::int, $1::int) AS n"
    )
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        for number in range(ROWS):
            if number % (ROWS // KILLS) == ROWS // KILLS // 2:
                # Polling helps after half a minute only: that nothing waits is the work of the listener alone.
                await until_there(connection, LISTENER, 1)
                assert await kill(connection, LISTENER) == 1
            await connection.execute(insert, number)
        await until_predicted(connection, 2 * ROWS)
    assert (await check_books(connection)).owed == 2 * ROWS


async def test_rows_when_every_session_of_the_worker_is_killed_then_each_row_has_one_answer(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    async with running_worker(settings(database, tmp_path, polling_interval_seconds=1)):
        await until_live(connection)
        for number in range(300):
            await insert_rows(connection, [row(f"coin {number % 7}", number)])
            if number % 60 == 30:
                await kill(connection, "prediction-worker")
                await kill(connection, "pumpcast live lock")
        await check_books(connection)


async def test_rows_when_two_workers_run_and_both_lose_their_locks_then_each_row_has_one_answer(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    configured = settings(database, tmp_path)
    async with running_worker(configured):
        await until_live(connection)
        async with running_worker(configured):
            for number in range(200):
                await insert_rows(connection, [row(f"coin {number % 23}", number)])
                if number % 60 == 40:
                    await until_there(connection, "pumpcast live lock", 2)
                    assert await kill(connection, "pumpcast live lock") == 2
                await asyncio.sleep(0.01)
            await check_books(connection)
        await insert_rows(connection, [row(f"coin {coin}", 300) for coin in range(23)])
        assert (await check_books(connection)).owed == 223


async def test_rows_when_the_table_is_emptied_and_counts_anew_then_its_rows_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        await insert_rows(connection, [row("a", n) for n in range(50)])
        await until_predicted(connection, 50)
        await connection.execute("TRUNCATE coin_metrics RESTART IDENTITY")
        await insert_rows(connection, [row("a", 100 + n) for n in range(5)])
        await until_predicted(connection, 55)


async def test_rows_when_the_table_appears_later_then_it_is_found(
    database: str, pool: Pool, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("prediction_service.worker.TABLE_LOOK_SECONDS", 0.2)
    await connection.execute("ALTER TABLE coin_metrics RENAME TO not_yet")
    await activate_model(pool, tmp_path)
    async with running_worker(settings(database, tmp_path)):
        await asyncio.sleep(0.5)
        await connection.execute("ALTER TABLE not_yet RENAME TO coin_metrics")
        await insert_rows(connection, [row("a", n) for n in range(3)])
        await check_books(connection)


async def test_rows_when_there_is_no_right_to_a_trigger_then_they_are_polled(tcp_database: str, tmp_path: Path):
    admin = await connect(tcp_database, application="tests")
    role = f"reader_{await admin.fetchval('SELECT current_database()')}"
    await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    try:
        await admin.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        await admin.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
        await admin.execute(f"REVOKE ALL ON coin_metrics, ref_coin_phases FROM {role}")
        await admin.execute(f"GRANT SELECT ON coin_metrics, ref_coin_phases TO {role}")
        pool = await open_pool(tcp_database, application="tests")
        await activate_model(pool, tmp_path)
        await pool.close()
        limited = f"postgresql://{role}:x@{tcp_database.rpartition('@')[2]}"
        async with running_worker(settings(limited, tmp_path, polling_interval_seconds=0.2)):
            for number in range(30):
                await insert_rows(admin, [row(f"coin {number % 5}", number)])
                await asyncio.sleep(0.02)
            await check_books(admin)
            told = "SELECT bool_and(status ->> 'listener' = 'polling') FROM worker_positions WHERE name LIKE 'live-%'"
            await until(admin, told, expected=True)
        assert await admin.fetchval("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'coin_metrics'::regclass") == 0
        assert await skipped(admin) == {}
    finally:
        await admin.execute(f"DROP OWNED BY {role}")
        await admin.execute(f"DROP ROLE {role}")
        await admin.close()
