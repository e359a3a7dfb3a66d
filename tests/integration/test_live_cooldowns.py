"""Cooldowns of the live worker: kept with the predictions, whatever happens to the worker."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prediction_service.usecases import cooldowns
from prediction_service.usecases.cooldowns import forget_old
from shared.db import Connection, Pool
from tests.support.database import insert_rows, row
from tests.support.live import running_worker, settings, until, until_live, until_predicted
from tests.support.models import activate_model

ENDPOINT = """
    INSERT INTO webhook_endpoints (url, secret, send_modes)
    VALUES ('http://127.0.0.1:9/', 'whsec_c2VjcmV0IG9mIGEgdGVzdA==', '{all}')
"""


@contextmanager
def killed_worker(database: str, home: Path) -> Iterator[None]:
    """Run `prediction-worker` as a process of its own, and kill it in the end."""
    environment = {**os.environ, "DB_DSN": database, "PUMPCAST_HOME": str(home), "LOG_LEVEL": "WARNING"}
    process = subprocess.Popen(
        [sys.executable, "-m", "prediction_service.worker"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait(20)


async def paused_model(pool: Pool, home: Path, connection: Connection) -> None:
    """Activate a model that alerts on every row, and then says nothing of the coin for a minute."""
    await connection.execute(ENDPOINT)
    await activate_model(pool, home, alert_threshold=0.0)
    await connection.execute("UPDATE prediction_active_models SET cooldown_alert_seconds = 60, send_modes = '{all}'")


async def sent(connection: Connection) -> list[str]:
    start = await connection.fetchval("SELECT min(data_timestamp) FROM predictions")
    rows = await connection.fetch(
        "SELECT coin_id, extract(epoch FROM data_timestamp - $1)::int AS at FROM webhook_deliveries ORDER BY id", start
    )
    return [f"{one['coin_id']}{one['at']}" for one in rows]


async def test_cooldown_when_rows_come_in_one_batch_or_many_then_one_message_a_pause_and_a_prediction_a_row(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await paused_model(pool, tmp_path, connection)
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        await insert_rows(connection, [row(coin, second) for second in range(0, 100, 10) for coin in ("a", "b")])
        await until_predicted(connection, 20)
        for second in (110, 120, 121, 179):
            await insert_rows(connection, [row("a", second)])
        await until_predicted(connection, 24)
        # A pause that is set to nothing ends at once.
        await connection.execute("UPDATE prediction_active_models SET cooldown_alert_seconds = 0")
        await connection.execute("UPDATE worker_positions SET models_version = models_version + 1")
        await connection.execute("NOTIFY prediction_models_changed")
        await insert_rows(connection, [row("a", 179.5)])
        await until_predicted(connection, 25)
    assert await sent(connection) == ["a0", "b0", "a60", "b60", "a120", "a180"]


async def test_cooldown_when_the_worker_is_killed_then_the_next_one_goes_on_with_it(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await paused_model(pool, tmp_path, connection)
    with killed_worker(database, tmp_path):
        await until_live(connection)
        await insert_rows(connection, [row("a", 0)])
        await until_predicted(connection, 1)
    await connection.execute("UPDATE worker_positions SET status = '{}'")
    with killed_worker(database, tmp_path):
        await until_live(connection)
        for second in (10, 59, 60, 61):
            await insert_rows(connection, [row("a", second)])
        await until_predicted(connection, 5)
    assert await sent(connection) == ["a0", "a60"]


async def test_cooldown_when_the_table_is_made_anew_then_its_clock_starts_again(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await paused_model(pool, tmp_path, connection)
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        await insert_rows(connection, [row("a", 1000)])
        await until_predicted(connection, 1)
        await connection.execute("TRUNCATE coin_metrics RESTART IDENTITY")
        await until(connection, "SELECT count(*) FROM send_cooldowns", expected=0)
        await until_live(connection)
        await insert_rows(connection, [row("a", 0), row("a", 10)])
        await until_predicted(connection, 3)
    assert await sent(connection) == ["a1000", "a0"]


async def test_old_cooldowns_when_the_house_is_kept_then_those_go_that_no_pause_reaches_back_to(
    pool: Pool, connection: Connection, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cooldowns, "FORGET_AT_ONCE", 2)
    await activate_model(pool, tmp_path)
    await connection.execute(
        "UPDATE prediction_active_models SET cooldown_alert_seconds = 60, cooldown_negative_seconds = 3600"
    )
    await connection.execute("UPDATE worker_positions SET clock = '2026-03-01T12:00:00Z'")
    await connection.execute("UPDATE worker_positions SET clock = '2026-03-01T11:00:00Z' WHERE name = 'live-3'")
    await connection.execute("""
        INSERT INTO send_cooldowns (active_model_id, coin_id, kind, sent_at) VALUES
            (1, 'reached', 'alert', '2026-03-01T10:00:00Z'), (1, 'old', 'alert', '2026-03-01T09:59:59Z'),
            (1, 'older', 'negative', '2026-02-01Z'), (2, 'of no model', 'alert', '2026-03-01T12:00:00Z')
    """)
    configured = settings(database, tmp_path)
    assert [await forget_old(pool, configured) for _ in range(2)] == [True, False]
    assert await connection.fetchval("SELECT array_agg(coin_id) FROM send_cooldowns") == ["reached"]
