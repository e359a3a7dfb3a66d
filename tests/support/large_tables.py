"""Statements that fill every table with so many rows that plans are those of large tables."""

FILL = """
INSERT INTO ml_models (name, model_type, status, is_deleted, target_variable, train_start, train_end, features,
                       run_key, job_id, created_at)
SELECT 'model ' || n, CASE WHEN n % 20 = 0 THEN 'xgboost' ELSE 'random_forest' END,
       CASE WHEN n % 50 = 0 THEN 'FAILED' ELSE 'READY' END, n % 4 = 0, 'price_close', now(), now(), '[]',
       'key ' || n, n, now() - n * interval '1 minute'
FROM generate_series(1, 4000) AS n;

INSERT INTO ml_jobs (job_type, status, priority, model_name, train_model_type, worker_id, lease_expires_at, created_at)
SELECT (ARRAY['TRAIN', 'TRAIN', 'TRAIN', 'TEST', 'COMPARE'])[1 + n % 5],
       CASE WHEN n % 100 = 0 THEN 'RUNNING' WHEN n % 50 = 0 THEN 'PENDING' WHEN n % 20 = 0 THEN 'FAILED'
            ELSE 'COMPLETED' END,
       n % 10, 'model ' || n, 'xgboost', 'w', now(), now() - n * interval '1 minute'
FROM generate_series(1, 10000) AS n;

INSERT INTO ml_test_results (model_id, test_start, test_end, created_at)
SELECT 1 + n % 10, now() + n * interval '1 day', now() + n * interval '2 day', now() - n * interval '1 minute'
FROM generate_series(1, 4000) AS n;

INSERT INTO ml_comparisons (model_ids, test_start, test_end, created_at)
SELECT '[1, 2]', now(), now(), now() - n * interval '1 minute' FROM generate_series(1, 2000) AS n;

UPDATE ml_jobs SET test_model_id = id WHERE job_type = 'TEST' AND id <= 4000;
UPDATE ml_jobs SET result_test_id = id WHERE id <= 2000;
UPDATE ml_jobs SET run_key = 'key ' || id WHERE status = 'RUNNING';
UPDATE ml_jobs SET result_comparison_id = id WHERE job_type = 'COMPARE' AND id <= 2000;

INSERT INTO prediction_active_models (model_id, model_name, model_type, target_variable, features, local_model_path,
                                      created_at, line)
SELECT n, 'model ' || n, 'xgboost', 'price_close', '[]', '/m.zip', now() - n * interval '1 minute', 'line ' || n
FROM generate_series(1, 500) AS n;

INSERT INTO predictions (active_model_id, model_id, data_timestamp, probability, threshold, prediction, is_alert,
                         coin_id, outcome, evaluated_at)
SELECT m, m + 10, '2026-03-01'::timestamptz + t * interval '1 minute', 0.5, 0.5, 1, (t * 1000 + c) % 97 = 0,
       'coin ' || c, CASE WHEN t < 190 THEN 'tp' END, CASE WHEN t < 190 THEN now() END
FROM generate_series(1, 200) AS t, generate_series(1, 100) AS c, generate_series(1, 5) AS m;

INSERT INTO prediction_dues (active_model_id, model_id, target, data_from, data_to, first_id, last_id, due_at)
SELECT 1 + n % 5, 1, '{}', at, at, 1, 2, at + interval '11 minutes'
FROM (SELECT n, '2026-03-01'::timestamptz + n * interval '1 minute' AS at FROM generate_series(1, 5000) AS n) AS due;

INSERT INTO prediction_calibration (active_model_id, bucket_start, bin, resolved, positives, probability_sum)
SELECT m, '2026-01-01'::timestamptz + h * interval '1 hour', b, 1, 0, 0.1
FROM generate_series(1, 50) AS h, generate_series(1, 20) AS m, generate_series(0, 9) AS b;

INSERT INTO prediction_stats (active_model_id, model_id, bucket_start)
SELECT m, m, '2026-01-01'::timestamptz + h * interval '1 hour'
FROM generate_series(1, 200) AS h, generate_series(1, 200) AS m;

INSERT INTO webhook_endpoints (url, secret, is_builtin) SELECT 'https://example.com', 's', n = 1
FROM generate_series(1, 500) AS n;

INSERT INTO webhook_deliveries (endpoint_id, webhook_id, event_type, coin_id, body, status, delivered_at,
                                next_attempt_at, expires_at, active_model_ids, created_at)
SELECT 1 + n % 20, 'msg ' || n, CASE WHEN n % 9 = 0 THEN 'prediction.created' ELSE 'prediction.alert' END,
       'coin ' || n % 500, '{}',
       CASE WHEN n % 20 = 0 THEN 'pending' WHEN n % 33 = 0 THEN 'expired' ELSE 'delivered' END,
       CASE WHEN n % 20 <> 0 AND n % 33 <> 0 THEN now() END, now() + n * interval '1 second',
       now() + n * interval '1 minute', ARRAY[1, 2 + n % 3]::bigint[], now() - (20000 - n) * interval '1 second'
FROM generate_series(1, 20000) AS n;

INSERT INTO send_cooldowns (active_model_id, coin_id, kind, sent_at)
SELECT 1 + n % 5, 'coin ' || n, 'alert', now() - n * interval '1 second' FROM generate_series(1, 5000) AS n;

INSERT INTO prediction_webhook_log (delivery_id, endpoint_id, attempt, url, duration_ms)
SELECT 1 + n % 20000, 1 + n % 20, 1, 'https://example.com', 1 FROM generate_series(1, 20000) AS n;

INSERT INTO model_promotions (action, active_model_id, model_id, replaced_active_model_id, line, undoes)
SELECT (ARRAY['import', 'activate', 'promote', 'rollback'])[1 + n % 4], 1 + n % 100, 1,
       CASE WHEN n % 2 = 0 THEN 200 + n % 100 END, CASE WHEN n % 2 = 0 THEN 'line ' || n % 50 END,
       CASE WHEN n % 4 = 3 THEN n - 1 END
FROM generate_series(1, 4000) AS n;

INSERT INTO model_packages (id, name, forecast_rel_path, ppo_rel_path, status, warmup_status, validated_at,
                            warmup_completed_at, created_at)
SELECT 'package_' || n, 'p', 'f', 'p', 'READY', CASE WHEN n % 50 = 0 THEN 'PENDING' ELSE 'DONE' END, now(),
       CASE WHEN n % 50 <> 0 THEN now() END, now() - n * interval '1 minute'
FROM generate_series(1, 2000) AS n;

INSERT INTO candles (symbol, interval, open_time, open, high, low, close, volume)
SELECT 'S' || s, '15m', '2026-01-01'::timestamptz + n * interval '15 minutes', 1, 1, 1, 1, 1
FROM generate_series(1, 5) AS s, generate_series(1, 2000) AS n;

INSERT INTO paper_accounts (id, package_id) SELECT 'paper_' || n, n::text FROM generate_series(1, 100) AS n;

INSERT INTO paper_positions (account_id, symbol, side, size_usdt, margin, leverage, entry_price, current_price,
                             take_profit_pct, stop_loss_pct, expires_at)
SELECT 'paper_' || 1 + n % 100, 'S' || n % 50, 'LONG', 1, 1, 1, 1, 1, 1, 1, now() + interval '1 day'
FROM generate_series(1, 5000) AS n;
UPDATE paper_positions SET status = 'CLOSED', exit_price = 1, pnl = 0, close_reason = 'TP', closed_at = now()
WHERE id % 20 <> 0;

INSERT INTO paper_equity_history (account_id, balance, equity, recorded_at)
SELECT 'paper_' || 1 + n % 10, 1, 1, now() - n * interval '1 minute' FROM generate_series(1, 10000) AS n;
"""
