"""Every index has a query that uses it, and every list is read along an index instead of being sorted."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.db import Queries, connect
from tests.support.database import START
from tests.support.large_tables import FILL
from tests.support.schema_rows import insert

ROOT = Path(__file__).resolve().parents[2]
NEWEST = "ORDER BY created_at DESC, id DESC LIMIT 50"
EXPECTED = {
    "uq_models_live_name": ["SELECT id FROM ml_models WHERE name = 'model 7' AND NOT is_deleted"],
    "uq_models_job": ["SELECT id FROM ml_models WHERE job_id = 7"],
    "idx_models_created": [
        f"SELECT * FROM ml_models WHERE NOT is_deleted {NEWEST}",
        f"SELECT * FROM ml_models WHERE NOT is_deleted AND model_type = 'random_forest' {NEWEST}",
        f"SELECT * FROM ml_models WHERE NOT is_deleted AND strpos(lower(name), 'model') > 0 {NEWEST}",
    ],
    "idx_models_status": [f"SELECT * FROM ml_models WHERE status = 'FAILED' AND NOT is_deleted {NEWEST}"],
    "idx_models_type_status": [
        f"SELECT * FROM ml_models WHERE model_type = 'xgboost' AND status = 'READY' AND NOT is_deleted {NEWEST}"
    ],
    "idx_models_run_key": ["SELECT id FROM ml_models WHERE run_key = 'key 7' AND NOT is_deleted"],
    "uq_test_results_window": [
        "SELECT id FROM ml_test_results WHERE model_id = 7 AND test_start = now() AND test_end = now()"
    ],
    "idx_test_results_created": [f"SELECT * FROM ml_test_results {NEWEST}"],
    "idx_test_results_model": [f"SELECT * FROM ml_test_results WHERE model_id = 7 {NEWEST}"],
    "idx_comparisons_created": [f"SELECT * FROM ml_comparisons {NEWEST}"],
    "idx_jobs_claim": [
        (
            "SELECT id FROM ml_jobs WHERE status = 'PENDING' AND job_type = ANY('{TRAIN,TEST}')"
            " ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
    ],
    "idx_jobs_lease": ["SELECT id FROM ml_jobs WHERE status = 'RUNNING' AND lease_expires_at < now() - interval '1 h'"],
    "idx_jobs_open_name": ["SELECT id FROM ml_jobs WHERE model_name = 'model 7' AND status IN ('PENDING', 'RUNNING')"],
    "idx_jobs_created": [f"SELECT * FROM ml_jobs {NEWEST}"],
    "idx_jobs_status": [f"SELECT * FROM ml_jobs WHERE status = 'FAILED' {NEWEST}"],
    "idx_jobs_type": [f"SELECT * FROM ml_jobs WHERE job_type = 'COMPARE' {NEWEST}"],
    "idx_jobs_type_status": [f"SELECT * FROM ml_jobs WHERE job_type = 'COMPARE' AND status = 'FAILED' {NEWEST}"],
    "idx_jobs_run_key": ["SELECT id FROM ml_jobs WHERE run_key = 'key 700' AND status = 'RUNNING' AND id <> 7 LIMIT 1"],
    "idx_jobs_run_again": [
        (
            "SELECT job_type, sum(failed_before), sum(cancelled_before) FROM ml_jobs"
            " WHERE failed_before + cancelled_before > 0 GROUP BY job_type"
        )
    ],
    "idx_jobs_test_model": [f"SELECT * FROM ml_jobs WHERE test_model_id = 7 {NEWEST}"],
    "idx_jobs_result_test": ["SELECT id FROM ml_jobs WHERE result_test_id = 7"],
    "idx_jobs_result_comparison": ["SELECT id FROM ml_jobs WHERE result_comparison_id = 7"],
    "uq_active_models_model": ["SELECT id FROM prediction_active_models WHERE model_id = 7"],
    "idx_active_models_created": [f"SELECT * FROM prediction_active_models {NEWEST}"],
    "predictions_pkey": [
        "SELECT * FROM predictions WHERE id < 90000 ORDER BY id DESC LIMIT 1000",
        "SELECT * FROM predictions WHERE id < 90000 AND prediction = 1 ORDER BY id DESC LIMIT 1000",
    ],
    "uq_predictions_once": [
        (
            "SELECT * FROM predictions WHERE coin_id = 'coin 7' AND data_timestamp >= '2026-03-01 03:00Z'"
            " ORDER BY data_timestamp DESC LIMIT 20"
        ),
        (
            "SELECT DISTINCT ON (active_model_id) * FROM predictions WHERE coin_id = 'coin 7'"
            " ORDER BY active_model_id, data_timestamp DESC"
        ),
    ],
    "idx_predictions_active_model": [
        "SELECT * FROM predictions WHERE active_model_id = 3 AND id < 90000 ORDER BY id DESC LIMIT 1000",
        "SELECT count(*) FROM predictions WHERE active_model_id = 3",
    ],
    "idx_predictions_alerts": ["SELECT * FROM predictions WHERE is_alert AND id < 90000 ORDER BY id DESC LIMIT 1000"],
    "idx_dues_due": [
        "SELECT * FROM prediction_dues WHERE due_at <= '2026-03-01 03:12Z' ORDER BY due_at, id LIMIT 500",
    ],
    "idx_predictions_time": [
        "SELECT id FROM predictions WHERE data_timestamp < '2026-03-01 00:10Z'",
    ],
    "prediction_stats_pkey": [
        "SELECT * FROM prediction_stats WHERE active_model_id = 7 AND bucket_start >= '2026-01-05Z' ORDER BY 3"
    ],
    "idx_prediction_stats_bucket": [
        "SELECT sum(alerts) FROM prediction_stats WHERE bucket_start >= '2026-01-09 05:00Z'"
    ],
    "uq_webhook_builtin": ["SELECT id FROM webhook_endpoints WHERE is_builtin"],
    "uq_deliveries_webhook": ["SELECT id FROM webhook_deliveries WHERE webhook_id = 'msg 7'"],
    "idx_deliveries_due": [
        (
            "SELECT id FROM webhook_deliveries WHERE endpoint_id = 1 AND status = 'pending'"
            " AND next_attempt_at <= now() ORDER BY next_attempt_at, id LIMIT 20 FOR UPDATE SKIP LOCKED"
        )
    ],
    "idx_deliveries_expiring": [
        "SELECT id FROM webhook_deliveries WHERE status = 'pending' AND expires_at <= now() + interval '1 hour'"
    ],
    "idx_deliveries_endpoint": [f"SELECT * FROM webhook_deliveries WHERE endpoint_id = 7 {NEWEST}"],
    "idx_deliveries_status": [f"SELECT * FROM webhook_deliveries WHERE status = 'expired' {NEWEST}"],
    "idx_webhook_log_delivery": ["SELECT * FROM prediction_webhook_log WHERE delivery_id = 7 ORDER BY id"],
    "idx_webhook_log_failures": [
        (
            "SELECT * FROM prediction_webhook_log WHERE endpoint_id = 7"
            " AND (status_code IS NULL OR status_code NOT BETWEEN 200 AND 299) ORDER BY id DESC LIMIT 1"
        )
    ],
    "idx_cooldowns_sent": ["SELECT * FROM send_cooldowns ORDER BY sent_at LIMIT 100"],
    "idx_deliveries_sending": ["SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = 7 AND is_sending"],
    "idx_deliveries_ended": [
        (
            "SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = 7 AND status = 'failed'"
            " AND created_at > now() - interval '1 day'"
        )
    ],
    "idx_deliveries_coin": [f"SELECT * FROM webhook_deliveries WHERE coin_id = 'coin 7' {NEWEST}"],
    "idx_deliveries_type": [f"SELECT * FROM webhook_deliveries WHERE event_type = 'prediction.created' {NEWEST}"],
    "idx_deliveries_models": [
        f"SELECT * FROM webhook_deliveries WHERE active_model_ids = '{{1,2}}' AND status <> 'pending' {NEWEST}"
    ],
    "uq_active_models_live_of_line": [
        "SELECT id FROM prediction_active_models WHERE line = 'line 7' AND is_active AND mode = 'live'"
    ],
    "model_promotions_pkey": ["SELECT * FROM model_promotions WHERE id < 900 ORDER BY id DESC LIMIT 50"],
    "idx_promotions_active_model": [
        "SELECT * FROM model_promotions WHERE active_model_id = 7 AND action = 'promote' ORDER BY id DESC LIMIT 1"
    ],
    "idx_promotions_replaced": [
        "SELECT * FROM model_promotions WHERE replaced_active_model_id = 206 ORDER BY id DESC LIMIT 10"
    ],
    "idx_promotions_line": ["SELECT * FROM model_promotions WHERE line = 'line 7' ORDER BY id DESC LIMIT 50"],
    "idx_promotions_action": ["SELECT * FROM model_promotions WHERE action = 'rollback' ORDER BY id DESC LIMIT 50"],
    "uq_promotion_undone": ["SELECT id FROM model_promotions WHERE undoes = 7"],
    "idx_packages_created": ["SELECT * FROM model_packages ORDER BY created_at DESC, id LIMIT 50"],
    "idx_packages_warmup": [
        "SELECT id FROM model_packages WHERE warmup_status = 'PENDING' AND status <> 'ARCHIVED' ORDER BY created_at"
    ],
    "candles_pkey": [
        "SELECT * FROM candles WHERE symbol = 'S3' AND interval = '15m' ORDER BY open_time DESC LIMIT 1500"
    ],
    "uq_paper_accounts_package": ["SELECT * FROM paper_accounts WHERE package_id = '7'"],
    "idx_paper_positions_account": [
        "SELECT * FROM paper_positions WHERE account_id = 'paper_7' AND status = 'CLOSED' ORDER BY id DESC LIMIT 50"
    ],
    "idx_paper_positions_open": ["SELECT * FROM paper_positions WHERE symbol = 'S7' AND status = 'OPEN'"],
    "idx_paper_equity_round": [
        "SELECT id FROM paper_equity_history WHERE account_id = 'paper_7' AND round = 0 ORDER BY recorded_at LIMIT 9"
    ],
}
# Few rows are left to sort where the condition, not the order, is what the index is for.
MAY_SORT = {"uq_predictions_once", "idx_paper_positions_account"}


@pytest.fixture(scope="module")
def filled(postgres):
    with postgres.fresh() as name, psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
        connection.execute(FILL)
        connection.execute("VACUUM ANALYZE")
        # Nothing to cache in tables of a few pages; a plan for large ones is what counts.
        connection.execute("SET random_page_cost = 1.1")
        connection.execute("SET enable_seqscan = off")
        yield connection


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Give all steps of a plan."""
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


def plan_of(connection: psycopg.Connection[Any], query: str) -> list[dict[str, Any]]:
    explained = connection.execute(f"EXPLAIN (FORMAT JSON) {query}").fetchone()
    return nodes(explained[0][0]["Plan"])


@pytest.mark.parametrize("index", EXPECTED)
def test_query_when_tables_are_large_then_it_uses_its_index(filled, index):
    for query in EXPECTED[index]:
        steps = plan_of(filled, query)
        assert index in {step.get("Index Name") for step in steps}, json.dumps(steps, indent=1)
        if index not in MAY_SORT:
            assert not [step for step in steps if step["Node Type"] == "Sort"], query


def test_indexes_when_all_are_listed_then_each_has_its_query(filled):
    rows = filled.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename !~ 'yoyo|coin_'"
    ).fetchall()
    keys = {name for (name,) in rows if name.endswith("_pkey")}
    assert {name for (name,) in rows} - keys == set(EXPECTED) - keys


def test_coin_of_many_when_it_has_few_predictions_then_only_those_are_read(filled):
    insert(filled, "predictions", coin_id="rare")
    steps = plan_of(filled, "SELECT * FROM predictions WHERE coin_id = 'rare' AND id < 99999 ORDER BY id DESC LIMIT 10")
    assert "uq_predictions_once" in {step.get("Index Name") for step in steps}


STRETCHES = {
    "active_model_ids": [3], "data_from": [START], "data_to": [START], "first_ids": [100], "last_ids": [900],
    "are_second": [False],
}  # fmt: skip
STORES = {
    "training_service/store/jobs.sql": {
        "list": [
            ({"status": None, "job_type": None}, "idx_jobs_created"),
            ({"status": "FAILED", "job_type": None}, "idx_jobs_status"),
            ({"status": None, "job_type": "COMPARE"}, "idx_jobs_type"),
            ({"status": "FAILED", "job_type": "COMPARE"}, "idx_jobs_type_status"),
        ],
        "claim": [({"worker": "w", "lease_seconds": 1.0, "job_types": ["TRAIN"]}, "idx_jobs_claim")],
    },
    "training_service/store/models.sql": {
        "list": [
            ({"status": None, "model_type": None}, "idx_models_created"),
            ({"status": "FAILED", "model_type": None}, "idx_models_status"),
            ({"status": "READY", "model_type": "xgboost"}, "idx_models_type_status"),
        ]
    },
    "training_service/store/results.sql": {
        "list_tests": [({"model_id": None}, "idx_test_results_created"), ({"model_id": 7}, "idx_test_results_model")],
        "list_comparisons": [({}, "idx_comparisons_created")],
    },
    "prediction_service/store/dues.sql": {
        "coins": [(STRETCHES, "idx_predictions_active_model")],
        "waiting": [
            ({**STRETCHES, "coins": ["coin 7", "coin 8"], "earliest": START, "latest": START}, "uq_predictions_once")
        ],
        "resolve": [
            (
                {"names": ["tp"], "ids": [7, 8], "outcomes": [0, 0], "again": [False, False]}
                | {name: [1.0, 1.0] for name in ("changes", "highest", "lowest")},
                "predictions_pkey",
            )
        ],
    },
    "prediction_service/store/statistics.sql": {
        "model_id_of": [({"active_model_id": 7}, "prediction_stats_pkey")],
        "calibration": [({"active_model_id": 7, "hour_from": START, "hour_to": START}, "prediction_calibration_pkey")],
    },
    "prediction_service/store/challenges.sql": {
        "compare": [
            (
                {
                    "shadow_id": 2,
                    "shadow_threshold": 0.5,
                    "live_id": 1,
                    "live_threshold": 0.5,
                    "after_id": 0,
                    "most_rows": 1000,
                    "most_pairs": 1000,
                    "metric": "precision",
                },
                "uq_predictions_once",
            )
        ]
    },
    "prediction_service/store/active_models.sql": {
        "live_of_line": [({"line": "line 7"}, "uq_active_models_live_of_line")],
        "overview": [({"include_inactive": True, "id": 7}, "prediction_stats_pkey")],
    },
    "prediction_service/store/promotions.sql": {
        "latest_promotion": [({"active_model_id": 7}, "idx_promotions_active_model")]
    },
    "prediction_service/store/paper_positions.sql": {
        "page": [({"account_id": "paper_7", "before_id": 4000, "most": 51}, "idx_paper_positions_account")],
        "list_open": [({"account_id": "paper_7"}, "idx_paper_positions_account")],
        "tallies": [({"account_id": "paper_7", "round": 0}, "idx_paper_positions_account")],
        "exposed": [({"account_id": "paper_7", "round": 0, "now": START}, "idx_paper_positions_account")],
        "accounts_in": [({"symbol": "S7"}, "idx_paper_positions_open")],
    },
    "prediction_service/store/paper_equity.sql": {
        "insert_mark": [
            (
                {"account_id": "paper_7", "round": 0, "recorded_at": START, "open_positions": 0}
                | dict.fromkeys(("balance", "unrealised_pnl", "equity"), 1.0),
                "idx_paper_equity_round",
            )
        ],
        "curve": [
            (
                {"account_id": "paper_7", "round": 0, "from_at": START, "until_at": None, "most": 500, "parts": 249},
                "idx_paper_equity_round",
            )
        ],
        "began_at": [({"account_id": "paper_7", "round": 0}, "idx_paper_equity_round")],
    },
}
REST = {"limit": 50, "offset": 0, "is_deleted": False, "search": None}


@pytest.mark.parametrize("path", STORES)
async def test_lists_of_a_store_when_filters_are_given_then_each_uses_its_index(filled, postgres, path):
    connection = await connect(postgres.dsn(filled.info.dbname))
    try:
        await connection.execute("SET enable_seqscan = off; SET random_page_cost = 1.1")
        for name, cases in STORES[path].items():
            query = Queries(ROOT / path)[name]
            for given, index in cases:
                values = {key: value for key, value in {**REST, **given}.items() if key in query.parameters}
                [plan] = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query.text}", *query.arguments(values))
                assert index in {step.get("Index Name") for step in nodes(plan["Plan"])}, (name, given)
    finally:
        await connection.close()
