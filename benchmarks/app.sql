-- name: models
INSERT INTO ml_models (name, model_type, status, target_variable, future_minutes, price_change_percent, target_direction,
                       label_mode, label_resolution, train_start, train_end, features, training_precision,
                       training_recall, training_f1, roc_auc, decision_threshold, alert_threshold, created_at)
SELECT 'Model ' || n, CASE WHEN n % 2 = 0 THEN 'xgboost' ELSE 'random_forest' END, 'READY', 'price_close', 10, 30, 'up',
       'at_horizon', 'observed', now() - interval '9 days', now() - interval '2 days', '["volume_sol", "num_buys"]',
       0.3, 0.4, 0.34, 0.75, 0.2, 0.3, now() - n * interval '1 minute'
FROM generate_series(1, :models::bigint) AS n;

-- name: jobs
INSERT INTO ml_jobs (job_type, status, model_name, train_model_type, request, progress, created_at, started_at, completed_at)
SELECT 'TRAIN', 'COMPLETED', 'Model ' || n, 'xgboost', '{}', 1, now() - n * interval '1 minute',
       now() - n * interval '1 minute', now() - n * interval '1 minute' + interval '20 seconds'
FROM generate_series(1, :models::bigint) AS n;

-- name: active_models
-- All like the one that was imported.
INSERT INTO prediction_active_models (model_id, model_name, model_type, target_variable, future_minutes,
                                      price_change_percent, target_direction, features, local_model_path,
                                      model_file_sha256, manifest, decision_threshold, alert_threshold, mode, created_at)
SELECT n, 'Model ' || n, model_type, target_variable, future_minutes, price_change_percent, target_direction, features,
       local_model_path, model_file_sha256, manifest, decision_threshold, alert_threshold,
       CASE WHEN n % 2 = 0 THEN 'live' ELSE 'shadow' END, now() - n * interval '1 minute'
FROM prediction_active_models, generate_series(2, :models::bigint) AS n;

-- name: predictions
INSERT INTO predictions (
    active_model_id, model_id, coin_id, data_timestamp, created_at, probability, threshold, prediction, is_alert,
    phase_id_at_time, prediction_duration_ms, outcome, evaluated_at, actual_change_pct
)
SELECT
    1 + n % :models::bigint, 1 + n % :models::bigint, 'BenchCoinMintAddressOfUsualLengthpump' || lpad((n / :models % 5000)::text, 7, '0'),
    at, at, probability, 0.2, (probability >= 0.2)::int, probability >= 0.95, 1 + n % 3, 2.5,
    CASE WHEN at > now() - interval '11 minutes' THEN NULL WHEN probability >= 0.2 THEN
         CASE WHEN n % 3 = 0 THEN 'tp' ELSE 'fp' END WHEN n % 7 = 0 THEN 'fn' ELSE 'tn' END,
    CASE WHEN at <= now() - interval '11 minutes' THEN at + interval '11 minutes' END,
    CASE WHEN at <= now() - interval '11 minutes' THEN n % 200 - 100 END
FROM (
    SELECT n, (n * 7919 % 1000003)::float8 / 1000003 AS probability,
           now() - interval '24 hours' + n * (interval '24 hours' / :rows::bigint) AS at
    FROM generate_series(1, :rows::bigint) AS n
) AS made;
