"""Health and metrics of the prediction API."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from shared.db import Connection, Pool
from tests.support.outbox import predict, set_up
from tests.support.receiver import Receiver
from tests.support.serving import Api


async def test_health_when_no_worker_beats_then_degraded_and_when_one_does_its_words_show(
    api: Api, connection: Connection
):
    status, body = await api.get("/api/health")
    assert (status, body["status"], body["migrations"]) == (200, "degraded", "current")
    assert "no prediction worker is running" in body["last_error"]

    async def beat(shards: Iterable[int] = range(8), **changes: Any) -> dict[str, Any]:
        state = {
            "beat": datetime.now(UTC).isoformat(),
            "listener": "listen",
            "lag_seconds": 0.0,
            "trouble": None,
        } | changes
        await connection.execute(
            "INSERT INTO worker_positions (name, high, status, owner)"
            " SELECT 'live-' || shard, 0, $1, $2 FROM unnest($3::int[]) AS shard"
            " ON CONFLICT (name) DO UPDATE SET status = excluded.status",
            state,
            uuid4(),
            list(shards),
        )
        return dict((await api.get("/health"))[1])

    good = await beat()
    assert (good["status"], good["last_error"], good["listener"], good["lag_seconds"], good["details"]["workers"]) == (
        "healthy", None, "listen", 0.0, 1
    )  # fmt: skip
    assert "polls" in (await beat(listener="polling"))["last_error"]
    assert "disk full" in (await beat(trouble="disk full"))["last_error"]
    assert "3 of 8 parts" in (await beat([1, 2, 5], beat="2026-01-01T00:00:00+00:00"))["last_error"]
    assert "no prediction worker" in (await beat(beat="2026-01-01T00:00:00+00:00"))["last_error"]
    await connection.execute("DROP TABLE coin_metrics")
    assert "coin_metrics does not exist" in (await beat())["last_error"]


async def test_metrics_when_scraped_then_totals_come_from_the_database(
    api: Api, pool: Pool, connection: Connection, there: Receiver, tmp_path: Path
):
    await set_up(api, there.url)
    await predict(pool, tmp_path, coins=3)
    await connection.execute(
        "INSERT INTO prediction_stats (active_model_id, model_id, bucket_start, predictions, positives, alerts)"
        " SELECT 1, 1, date_trunc('hour', now()) - n * interval '1 hour', 2, 2, n FROM generate_series(0, 1) AS n"
    )
    for name, stale in (("live-0", 3), ("live-5", 4)):
        counters = {"skipped": {"stale": stale}}
        await connection.execute("UPDATE worker_positions SET counters = $2 WHERE name = $1", name, counters)
    await connection.execute("UPDATE webhook_deliveries SET status = 'expired' WHERE id = 1")
    async with api.session.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    assert 'ml_predictions_total{active_model_id="1"} 4.0' in lines
    assert "ml_alerts_triggered_total 1.0" in lines
    assert 'ml_rows_skipped_total{reason="stale"} 7.0' in lines
    assert 'ml_webhook_deliveries_total{result="expired"} 1.0' in lines
    assert "ml_webhook_backlog 2.0" in lines
    assert "ml_active_models 1.0" in lines
    assert "ml_db_connected 1.0" in lines
