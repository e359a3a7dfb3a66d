"""One valid row for each of our tables, in the order in which they can be inserted."""

import json
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

_SHA = "0" * 64
_CONFUSION = {"tp": 1, "tn": 2, "fp": 3, "fn": 4}
_DAY = "2026-03-01T00:00:00Z"
_NEXT_DAY = "2026-03-02T00:00:00Z"

VALID: dict[str, dict[str, Any]] = {
    "ml_models": {
        "name": "first", "model_type": "xgboost", "target_variable": "price_close", "future_minutes": 10,
        "price_change_percent": 30.0, "target_direction": "up", "label_mode": "at_horizon",
        "label_resolution": "observed", "train_start": _DAY, "train_end": _NEXT_DAY, "features": ["price_close"],
        "phases": [1, 2], "params": {}, "training_accuracy": 0.9, "training_f1": 0.5, "training_precision": 0.5,
        "training_recall": 0.5, "roc_auc": 0.7, "mcc": 0.1, "fpr": 0.1, "fnr": 0.1, "confusion_matrix": _CONFUSION,
        "decision_threshold": 0.3, "alert_threshold": 0.6, "cv_scores": {}, "cv_overfitting_gap": 0.1,
        "feature_importance": {"price_close": 1}, "model_file_path": "/m.zip", "model_file_sha256": _SHA,
        "run_key": "key", "job_id": 1,
    },
    "ml_test_results": {
        "model_id": 1, "test_start": _DAY, "test_end": _NEXT_DAY, "accuracy": 0.3, "f1_score": 0.3,
        "precision_score": 0.25, "recall": 0.2, "roc_auc": 0.7, "mcc": 0.1, "fpr": 0.6, "fnr": 0.8,
        "confusion_matrix": _CONFUSION, "tp": 1, "tn": 2, "fp": 3, "fn": 4, "num_samples": 10, "num_positive": 5,
        "num_negative": 5, "train_accuracy": 0.9, "train_f1": 0.5, "train_precision": 0.5, "train_recall": 0.5,
        "accuracy_degradation": 0.6, "f1_degradation": 0.2, "is_overfitted": True, "test_duration_days": 1.0,
    },
    "ml_comparisons": {
        "model_ids": [1, 2], "model_a_id": 1, "winner_id": 1, "test_start": _DAY, "test_end": _NEXT_DAY,
    },
    "ml_jobs": {
        "job_type": "TRAIN", "model_name": "first", "train_model_type": "xgboost", "train_target_var": "price_close",
        "train_start": _DAY, "train_end": _NEXT_DAY, "train_features": ["price_close"], "train_phases": [1],
        "train_params": {}, "train_future_minutes": 10, "train_price_change_percent": 30.0,
        "train_target_direction": "up", "test_model_id": 1, "test_start": _DAY, "test_end": _NEXT_DAY,
        "result_model_id": 1, "result_test_id": 1, "result_comparison_id": 1, "worker_id": "w",
    },
    "prediction_active_models": {
        "model_id": 1, "model_name": "first", "custom_name": "mine", "model_type": "xgboost",
        "target_variable": "price_close", "future_minutes": 10, "price_change_percent": 30.0,
        "target_direction": "up", "features": ["price_close"], "phases": [1], "params": {},
        "local_model_path": "/m.zip", "model_file_sha256": _SHA,
        "activation": [{"from": {"high": 5, "pending": [[2, 3]]}, "until": None}],
        "decision_threshold": 0.3, "alert_threshold": 0.6,
    },
    "predictions": {
        "active_model_id": 1, "model_id": 1, "data_timestamp": _DAY, "probability": 0.7, "threshold": 0.3,
        "prediction_duration_ms": 1.5, "phase_id_at_time": 1, "prediction": 1, "is_alert": True, "coin_id": "A",
    },
    "prediction_stats": {
        "active_model_id": 1, "model_id": 1, "bucket_start": _DAY, "predictions": 10, "positives": 3, "alerts": 2,
        "tp": 1, "fp": 1, "tn": 1, "fn": 1, "unresolved": 1, "alert_tp": 1, "alert_fp": 1,
    },
    "prediction_calibration": {
        "active_model_id": 1, "bucket_start": _DAY, "bin": 4, "resolved": 3, "positives": 1, "probability_sum": 0.66,
    },
    "prediction_batches": {"first_id": 1, "last_id": 2, "entries": []},
    "prediction_dues": {
        "active_model_id": 1, "model_id": 1, "target": {"kind": "time"}, "data_from": _DAY, "data_to": _DAY,
        "first_id": 1, "last_id": 2, "due_at": _NEXT_DAY,
    },
    "prediction_drift": {
        "active_model_id": 1, "model_id": 1, "day": "2026-03-01", "rows": 10, "predictions": 90, "score_psi": 0.1,
    },
    "send_cooldowns": {"active_model_id": 1, "coin_id": "A", "kind": "alert", "sent_at": _DAY},
    "webhook_endpoints": {"url": "https://example.com/hook", "secret": "whsec_x", "expires_after_seconds": 60},
    "webhook_deliveries": {
        "endpoint_id": 1, "webhook_id": "msg_1", "event_type": "prediction.alert", "coin_id": "A",
        "data_timestamp": _DAY, "body": b"{}", "expires_at": _NEXT_DAY, "last_status_code": 500,
        "request_id": "4e1d",
    },
    "webhook_endings": {"status": "expired", "slot": 1, "ended": 3, "reopened": 1},
    "prediction_webhook_log": {
        "delivery_id": 1, "endpoint_id": 1, "attempt": 1, "url": "https://example.com/hook", "status_code": 500,
        "duration_ms": 3.5, "response": "no", "request_id": "4e1d",
    },
    "model_promotions": {"action": "promote", "active_model_id": 1, "model_id": 1},
    "worker_positions": {"name": "live", "high": 5, "pending": [[2, 3]], "clock": _DAY},
    "model_packages": {
        "id": "ppo_v1", "name": "PPO v1", "forecast_rel_path": "ppo_v1/forecast_model.pt",
        "ppo_rel_path": "ppo_v1/ppo_policy.zip", "forecast_sha256": _SHA, "ppo_sha256": _SHA,
        "forecast_bytes": 1, "ppo_bytes": 1,
    },
    "package_seeds": {"id": "ppo_v1"},
    "candles": {
        "symbol": "BTCUSDT", "interval": "15m", "open_time": _DAY, "open": 2.0, "high": 4.0, "low": 1.0, "close": 3.0,
        "volume": 5.0,
    },
    "candle_feeds": {"feed": "binance:BTC/USDT:15m", "symbol": "BTCUSDT", "interval": "15m", "last_candle": _DAY},
    "paper_accounts": {"id": "paper_ppo_v1", "package_id": "ppo_v1"},
    "paper_positions": {
        "account_id": "paper_ppo_v1", "symbol": "BTCUSDT", "side": "LONG", "size_usdt": 200.0, "margin": 28.5,
        "leverage": 7.0, "entry_price": 3.0, "current_price": 3.0, "take_profit_pct": 5.0, "stop_loss_pct": 3.0,
        "confidence": 70.0, "opened_at": _DAY, "expires_at": _NEXT_DAY,
    },
    "paper_equity_history": {"account_id": "paper_ppo_v1", "balance": 10000.0, "equity": 10000.0},
}  # fmt: skip


def insert(connection: psycopg.Connection[Any], table: str, **changed: Any) -> None:
    """Insert the valid row of a table, with some values changed."""
    values = {**VALID[table], **changed}
    connection.execute(
        SQL("INSERT INTO {} ({}) VALUES ({})").format(
            Identifier(table), SQL(", ").join(map(Identifier, values)), SQL(", ").join(SQL("%s") for _ in values)
        ),
        [json.dumps(value) if isinstance(value, dict | list) else value for value in values.values()],
    )


def fill(connection: psycopg.Connection[Any]) -> None:
    """Insert one row into every table."""
    for table in VALID:
        insert(connection, table)
