-- name: fill
-- Ninety days of one model, all of it resolved.
INSERT INTO predictions (
    active_model_id, model_id, coin_id, data_timestamp, created_at, probability, threshold, prediction, is_alert,
    phase_id_at_time, prediction_duration_ms, outcome, evaluated_at, actual_change_pct
)
SELECT
    :active_model_id, 1, 'BenchCoinMintAddressOfUsualLengthpump' || lpad((n % 5000)::text, 7, '0'), at, at, probability,
    0.5, (probability >= 0.5)::int, probability >= 0.95, 1 + n % 3, 2.5,
    CASE WHEN probability >= 0.5 THEN CASE WHEN n % 3 = 0 THEN 'tp' ELSE 'fp' END
         WHEN n % 7 = 0 THEN 'fn' ELSE 'tn' END,
    at + interval '11 minutes', n % 200 - 100
FROM (
    SELECT n, (n * 7919 % 1000003)::float8 / 1000003 AS probability,
           '2026-01-01Z'::timestamptz + n * (interval '90 days' / :rows::bigint) AS at
    FROM generate_series(1, :rows::bigint) AS n
) AS made;

-- name: roll_up
INSERT INTO prediction_stats (
    active_model_id, model_id, bucket_start, phase, predictions, positives, alerts, tp, fp, tn, fn, alert_tp, alert_fp,
    probability_sum, brier_sum, duration_ms_sum, last_prediction_at, changes, change_pct_sum
)
SELECT
    active_model_id, 1, date_trunc('hour', data_timestamp, 'UTC'), phase_id_at_time, count(*), sum(prediction),
    count(*) FILTER (WHERE is_alert), count(*) FILTER (WHERE outcome = 'tp'), count(*) FILTER (WHERE outcome = 'fp'),
    count(*) FILTER (WHERE outcome = 'tn'), count(*) FILTER (WHERE outcome = 'fn'),
    count(*) FILTER (WHERE is_alert AND outcome = 'tp'), count(*) FILTER (WHERE is_alert AND outcome = 'fp'),
    sum(probability), sum((probability - (outcome IN ('tp', 'fn'))::int) ^ 2), sum(prediction_duration_ms),
    max(data_timestamp), count(actual_change_pct), sum(actual_change_pct)
FROM predictions GROUP BY 1, 3, 4;

-- name: roll_up_bins
INSERT INTO prediction_calibration (active_model_id, bucket_start, bin, resolved, positives, probability_sum)
SELECT
    active_model_id, date_trunc('hour', data_timestamp, 'UTC'), least(19, floor(probability * 20)), count(*),
    count(*) FILTER (WHERE outcome IN ('tp', 'fn')), sum(probability)
FROM predictions GROUP BY 1, 2, 3;

-- name: counted
-- What such a service does without roll-ups: the figures of a model, and those by day and phase, off the table.
SELECT
    date_trunc('day', data_timestamp, 'UTC') AS day, phase_id_at_time, count(*) AS predictions, sum(prediction),
    count(*) FILTER (WHERE is_alert), count(*) FILTER (WHERE outcome = 'tp'), count(*) FILTER (WHERE outcome = 'fp'),
    count(*) FILTER (WHERE outcome = 'tn'), count(*) FILTER (WHERE outcome = 'fn'),
    avg((probability - (outcome IN ('tp', 'fn'))::int) ^ 2), avg(actual_change_pct), max(data_timestamp)
FROM predictions WHERE active_model_id = :active_model_id
GROUP BY GROUPING SETS ((), (date_trunc('day', data_timestamp, 'UTC')), (phase_id_at_time));
