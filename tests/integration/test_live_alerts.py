"""Which alerts of the live worker become messages."""

from pathlib import Path

from shared.db import Connection, Pool
from tests.support.database import START, insert_rows, row
from tests.support.live import (
    running_worker,
    settings,
    until,
    until_live,
    until_predicted,
)
from tests.support.models import activate_model


async def test_alerts_when_rows_come_right_after_a_change_of_models_then_all_of_them_are_sent(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await connection.execute(
        "INSERT INTO webhook_endpoints (url, secret) VALUES ('http://127.0.0.1:9/', 'whsec_c2VjcmV0IG9mIGEgdGVzdA==')"
    )
    await activate_model(pool, tmp_path, model_id=1, alert_threshold=0.0)
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        # Rows of an old recording: only what an outage held back would be too old to be sent.
        await insert_rows(connection, [row("a", 1)])
        await until_predicted(connection, 1)
        await activate_model(pool, tmp_path, model_id=2, alert_threshold=0.0)
        await insert_rows(connection, [row("a", 2), row("b", 2)])
        await until_predicted(connection, 5)
    assert await connection.fetchval("SELECT count(*) FROM webhook_deliveries") == 3


async def test_alerts_when_an_outage_held_rows_back_then_only_recent_ones_are_sent(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await connection.execute(
        "INSERT INTO webhook_endpoints (url, secret) VALUES ('http://127.0.0.1:9/', 'whsec_c2VjcmV0IG9mIGEgdGVzdA==')"
    )
    await activate_model(pool, tmp_path, alert_threshold=0.0)
    now = (await connection.fetchval("SELECT now()") - START).total_seconds()
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
    await insert_rows(connection, [row("old", now - 3600), row("recent", now - 30)])
    async with running_worker(settings(database, tmp_path)):
        await until_predicted(connection, 2)
    bodies = await connection.fetch("SELECT convert_from(body, 'UTF8') AS body FROM webhook_deliveries")
    assert len(bodies) == 1
    assert '"recent"' in bodies[0]["body"]


async def test_alerts_when_only_the_environment_names_a_receiver_then_the_worker_alone_sends_to_it(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path, alert_threshold=0.0)
    async with running_worker(settings(database, tmp_path, n8n_webhook_url="http://127.0.0.1:9/n8n")):
        await until_live(connection)
        await insert_rows(connection, [row("a", 1)])
        await until(connection, "SELECT count(*) FROM prediction_webhook_log", expected=1)
