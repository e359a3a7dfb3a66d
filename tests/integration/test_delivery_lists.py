"""Lists of deliveries read little more than they show, and their totals no delivery at all."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from prediction_service.settings import PredictionSettings
from prediction_service.store import deliveries
from prediction_service.store.deliveries import Delivery, Filter
from prediction_service.usecases import sending
from prediction_service.usecases.retention import delete_due
from shared.db import Connection, Pool, connect
from tests.support.database import TestServer
from tests.support.live import settings, until
from tests.support.outbox import predict, sending_messages, set_up
from tests.support.receiver import Receiver
from tests.support.serving import Api

FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNT, MOST = 30_000, 50
# Model 8 took the place of 7 when half of them were written, 9 was tried once, and nobody asks for what is no alert.
# Ids do not tell the order: every tenth message was written by a transaction that had begun a minute before.
FILL = """
INSERT INTO webhook_endpoints (url, secret) SELECT 'https://example.com', 's' FROM generate_series(1, 3);
INSERT INTO webhook_deliveries
    (endpoint_id, webhook_id, event_type, coin_id, body, status, expires_at, active_model_ids, created_at)
SELECT 1 + n % 2, 'msg ' || n, 'prediction.alert', 'coin ' || n % 600, '{}',
       CASE WHEN n < 20 THEN 'failed' WHEN n % 1000 = 0 THEN 'pending' ELSE 'expired' END, now(),
       CASE WHEN n = 40 THEN '{9}' ELSE ARRAY[1 + n % 5, CASE WHEN n < 15000 THEN 7 ELSE 8 END] END,
       '2026-03-01 12:00Z'::timestamptz + n * interval '1 s' - CASE n % 10 WHEN 0 THEN interval '1 min' ELSE '0' END
FROM generate_series(1, 30000) AS n;
"""


@pytest.fixture(scope="module")
def filled(postgres: TestServer) -> Iterator[str]:
    with postgres.fresh() as name:
        with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
            connection.execute(FILL)
            connection.execute("VACUUM ANALYZE webhook_deliveries")
        yield postgres.dsn(name)


LATE, EARLY = FIRST + timedelta(seconds=COUNT - 100), FIRST + timedelta(seconds=300)
FILTERS = [
    {}, {"endpoint_id": 1}, {"endpoint_id": 3}, {"status": "failed"}, {"status": "expired"}, {"status": "delivered"},
    {"event_type": "prediction.created"}, {"event_type": "webhook.test"}, {"coin_id": "coin 7"}, {"coin_id": "none"},
    {"active_model_id": 7}, {"active_model_id": 8}, {"active_model_id": 9}, {"active_model_id": 99},
    {"date_to": EARLY}, {"date_to": FIRST}, {"date_from": LATE}, {"date_from": FIRST + timedelta(days=1)},
    {"event_type": "prediction.alert", "date_to": EARLY}, {"endpoint_id": 2, "date_to": EARLY},
    {"status": "expired", "date_to": EARLY}, {"active_model_id": 7, "date_to": EARLY},
    {"active_model_id": 7, "status": "pending"}, {"coin_id": "coin 7", "active_model_id": 7},
]  # fmt: skip


def fits(one: Delivery, wanted: dict[str, Any]) -> bool:
    """Tell by the words of the filter."""
    return all((
        one.endpoint_id == wanted.get("endpoint_id", one.endpoint_id),
        one.status == wanted.get("status", one.status),
        one.event_type == wanted.get("event_type", one.event_type),
        one.coin_id == wanted.get("coin_id", one.coin_id),
        "active_model_id" not in wanted or wanted["active_model_id"] in (one.active_model_ids or ()),
        wanted.get("date_from", one.created_at) <= one.created_at <= wanted.get("date_to", one.created_at),
    ))  # fmt: skip


async def test_pages_when_put_together_then_they_are_all_that_fits_newest_first(filled: str):
    connection = await connect(filled)
    try:
        everything = await deliveries.list_page(connection, Filter(), most=COUNT + 1)
        assert len(everything) == COUNT
        assert everything == sorted(everything, key=lambda one: (one.created_at, one.id), reverse=True)
        for wanted in FILTERS:
            expected = [one for one in everything if fits(one, wanted)]
            pages, before, most = [], None, 2_000
            while page := await deliveries.list_page(connection, Filter(**wanted, before=before), most=most):
                pages += page
                before = page[-1].created_at, page[-1].id
            assert pages == expected, wanted
    finally:
        await connection.close()


def rows_read(plan: dict[str, Any]) -> float:
    """Give how many rows the scans of a plan that was carried out looked at."""
    own = 0.0
    if "Relation Name" in plan:
        own = plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
    return own + sum(rows_read(part) for part in plan.get("Plans", ()))


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
async def test_page_when_what_fits_is_old_or_not_there_then_few_rows_are_read(filled: str, wanted: dict[str, Any]):
    connection = await connect(filled)
    try:
        text, arguments = deliveries.compose_page(Filter(**wanted), most=MOST)
        [explained] = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", *arguments)
    finally:
        await connection.close()
    # Of each of ten sets of models one page.
    assert rows_read(explained["Plan"]) <= 12 * MOST


async def test_totals_when_messages_end_go_out_again_and_are_deleted_then_they_balance_to_the_row(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings, there: Receiver, database: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.05)

    async def shown() -> dict[str, int]:
        totals: dict[str, int] = (await api.get("/api/stats"))[1]["deliveries"]
        return totals

    async def counted() -> dict[str, int]:
        return dict(await connection.fetch("SELECT status, count(*) FROM webhook_deliveries GROUP BY status"))

    await set_up(api, there.url, expires_after_seconds=600)
    await predict(pool, tmp_path, coins=40)
    await connection.execute("UPDATE webhook_deliveries SET expires_at = now() WHERE id <= 25")
    async with sending_messages(pool, configured):
        waiting = "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'"
        await until(connection, waiting, expected=0)
        assert await shown() == await counted() == {"delivered": 15, "expired": 25}
        assert (await api.post("/api/webhook-deliveries/1/resend"))[0] == 202
        assert (await api.post("/api/webhook-deliveries/40/resend"))[0] == 202
        await until(connection, waiting, expected=0)
        _, recovered = await api.post("/api/webhooks/1/recover", {"since": "2020-01-01T00:00:00Z"})
        assert recovered["recovered"] >= 24
        await until(connection, waiting, expected=0)
    assert await shown() == await counted()
    assert sum((await shown()).values()) == 40
    async with api.session.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    # Endings of messages that went out again do not vanish: a counter only rises.
    assert 'ml_webhook_deliveries_total{result="expired"} 25.0' in lines
    ended = await shown()
    await predict(pool, tmp_path, coins=2)
    await connection.execute("UPDATE webhook_deliveries SET created_at = now() - interval '9 days' WHERE id <= 30")
    await connection.execute("UPDATE webhook_deliveries SET resent_at = created_at WHERE resent_at IS NOT NULL")
    await delete_due(pool, settings(database, tmp_path, prediction_retention_days=2))
    assert await connection.fetchval("SELECT count(*) FROM webhook_deliveries") == 12
    assert await shown() == {**ended, "pending": 2}
