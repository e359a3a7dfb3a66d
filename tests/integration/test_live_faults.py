"""The live rule under faults: killed sessions, two workers, a table that is emptied, missing or full of ugly rows."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from prediction_service.usecases.models import delete
from shared.db import Connection, Pool, connect
from tests.support.database import START, insert_rows, row
from tests.support.live import (
    running_worker,
    settings,
    skipped,
    until,
    until_live,
    until_predicted,
)
from tests.support.models import activate_model


async def test_rows_when_the_listener_is_killed_again_and_again_then_none_is_lost(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    async with running_worker(settings(database, tmp_path, polling_interval_seconds=1)):
        await until_live(connection)
        for number in range(200):
            await insert_rows(connection, [row(f"coin {number % 7}", number)])
            if number % 40 == 20:
                await connection.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name LIKE 'pumpcast listen%'"
                )
        await until_predicted(connection, 200)


async def test_rows_when_every_session_of_the_worker_is_killed_then_each_row_has_one_answer(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    async with running_worker(settings(database, tmp_path, polling_interval_seconds=1)):
        await until_live(connection)
        for number in range(300):
            await insert_rows(connection, [row(f"coin {number % 7}", number)])
            if number % 60 == 30:
                await connection.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND application_name IN ('prediction-worker', 'pumpcast live lock')"
                )
        await until_predicted(connection, 300)
    assert await skipped(connection) == {}


async def test_rows_when_two_workers_run_and_the_live_one_stops_then_the_other_goes_on(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    configured = settings(database, tmp_path)
    async with running_worker(configured):
        await until_live(connection)
        async with running_worker(configured):
            await insert_rows(connection, [row("a", n) for n in range(20)])
            await until_predicted(connection, 20)
            await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pumpcast live lock'"
                " AND datname = current_database()"
            )
            await insert_rows(connection, [row("a", 20 + n) for n in range(20)])
            await until_predicted(connection, 40)
    assert await skipped(connection) == {}


async def test_rows_when_ugly_then_all_of_them_are_answered(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    nothing = {name: None for name in row("a") if name not in ("mint", "timestamp")}
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        await insert_rows(connection, [row("a", 1, **nothing), row("a", 2, price_close=0.0), row("b", 3)])
        await connection.execute(
            "INSERT INTO coin_metrics (mint, timestamp, volume_sol, price_close) VALUES"
            " ('c', $1, 'NaN', '1e-400'), ('c', $2, '1e400', 'Infinity')",
            START + timedelta(seconds=4),
            START + timedelta(seconds=5),
        )
        await until_predicted(connection, 5)
    assert await connection.fetchval("SELECT count(*) FROM predictions WHERE probability BETWEEN 0 AND 1") == 5


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
        await until_predicted(connection, 3)


async def test_rows_when_there_is_no_right_to_a_trigger_then_they_are_polled(tcp_database: str, tmp_path: Path):
    admin = await connect(tcp_database)
    name = await admin.fetchval("SELECT current_database()")
    role = f"reader_{name}"
    await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    try:
        await admin.execute(f"GRANT SELECT ON coin_metrics, ref_coin_phases TO {role}")
        await admin.execute(
            f"GRANT ALL ON worker_positions, predictions, prediction_active_models, webhook_endpoints,"
            f" webhook_deliveries, prediction_webhook_log, _yoyo_migration TO {role}"
        )
        await admin.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")
        host = tcp_database.rpartition("@")[2]
        limited = f"postgresql://{role}:x@{host}"
        from shared.db import open_pool

        pool = await open_pool(tcp_database, application="tests")
        await activate_model(pool, tmp_path)
        await pool.close()
        async with running_worker(settings(limited, tmp_path, polling_interval_seconds=0.2)):
            await insert_rows(admin, [row("a", n) for n in range(3)])
            await until_predicted(admin, 3)
            status = await admin.fetchval("SELECT status ->> 'listener' FROM worker_positions")
            assert status in (None, "polling")
    finally:
        await admin.execute(f"DROP OWNED BY {role}")
        await admin.execute(f"DROP ROLE {role}")
        await admin.close()


async def test_rows_when_a_model_file_vanished_then_the_trouble_is_told_and_its_deletion_lets_the_others_go_on(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    lost = await activate_model(pool, tmp_path, model_id=1)
    await activate_model(pool, tmp_path, model_id=2)
    configured = settings(database, tmp_path, training_service_api_url="http://127.0.0.1:9/api")
    (tmp_path / "models" / "prediction" / "1.zip").unlink()
    await insert_rows(connection, [row("a", 1), row("a", 2)])
    async with running_worker(configured):
        told = "SELECT status ->> 'trouble' LIKE '%model 1 cannot be loaded%delete the model' FROM worker_positions"
        await until(connection, told, expected=True)
        assert await connection.fetchval("SELECT count(*) FROM predictions") == 0
        await delete(pool, configured, lost)
        await until_predicted(connection, 2)
        await until(connection, "SELECT status ->> 'trouble' IS NULL FROM worker_positions", expected=True)
