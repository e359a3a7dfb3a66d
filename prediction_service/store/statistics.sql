-- name: lock
-- Those who add come one after the other: two that touch the same rows in another order would wait for each other.
SELECT pg_advisory_xact_lock(:key);

-- name: add_predictions
INSERT INTO prediction_stats AS stats (
    active_model_id, model_id, bucket_start, phase, predictions, positives, alerts, probability_sum, duration_ms_sum,
    last_prediction_at
)
SELECT * FROM unnest(
    :active_model_ids::bigint[], :model_ids::bigint[], :hours::timestamptz[], :phases::int[], :predictions::bigint[],
    :positives::bigint[], :alerts::bigint[], :probability_sums::float8[], :duration_ms_sums::float8[],
    :newest::timestamptz[]
)
ON CONFLICT (active_model_id, bucket_start, phase) DO UPDATE SET
    predictions = stats.predictions + excluded.predictions, positives = stats.positives + excluded.positives,
    alerts = stats.alerts + excluded.alerts, probability_sum = stats.probability_sum + excluded.probability_sum,
    duration_ms_sum = stats.duration_ms_sum + excluded.duration_ms_sum,
    last_prediction_at = greatest(stats.last_prediction_at, excluded.last_prediction_at), updated_at = clock_timestamp();

-- name: add_outcomes
UPDATE prediction_stats AS stats SET
    tp = stats.tp + given.tp, fp = stats.fp + given.fp, tn = stats.tn + given.tn, fn = stats.fn + given.fn,
    unresolved = stats.unresolved + given.unresolved, alert_tp = stats.alert_tp + given.alert_tp,
    alert_fp = stats.alert_fp + given.alert_fp, alert_unresolved = stats.alert_unresolved + given.alert_unresolved,
    brier_sum = stats.brier_sum + given.brier_sum, alert_brier_sum = stats.alert_brier_sum + given.alert_brier_sum,
    changes = stats.changes + given.changes, change_pct_sum = stats.change_pct_sum + given.change_pct_sum,
    positive_changes = stats.positive_changes + given.positive_changes,
    positive_change_pct_sum = stats.positive_change_pct_sum + given.positive_change_pct_sum,
    alert_changes = stats.alert_changes + given.alert_changes,
    alert_change_pct_sum = stats.alert_change_pct_sum + given.alert_change_pct_sum, updated_at = clock_timestamp()
FROM unnest(
    :active_model_ids::bigint[], :hours::timestamptz[], :phases::int[], :tp::bigint[], :fp::bigint[], :tn::bigint[],
    :fn::bigint[], :unresolved::bigint[], :alert_tp::bigint[], :alert_fp::bigint[], :alert_unresolved::bigint[],
    :brier_sum::float8[], :alert_brier_sum::float8[], :changes::bigint[], :change_pct_sum::float8[],
    :positive_changes::bigint[], :positive_change_pct_sum::float8[], :alert_changes::bigint[],
    :alert_change_pct_sum::float8[]
) AS given (
    active_model_id, bucket_start, phase, tp, fp, tn, fn, unresolved, alert_tp, alert_fp, alert_unresolved, brier_sum,
    alert_brier_sum, changes, change_pct_sum, positive_changes, positive_change_pct_sum, alert_changes,
    alert_change_pct_sum
)
WHERE (stats.active_model_id, stats.bucket_start, stats.phase) = (given.active_model_id, given.bucket_start, given.phase);

-- name: add_calibration
INSERT INTO prediction_calibration AS bins (
    active_model_id, bucket_start, bin, resolved, positives, probability_sum
)
SELECT * FROM unnest(
    :active_model_ids::bigint[], :hours::timestamptz[], :bins::smallint[], :resolved::bigint[], :positives::bigint[],
    :probability_sum::float8[]
)
ON CONFLICT (active_model_id, bucket_start, bin) DO UPDATE SET
    resolved = bins.resolved + excluded.resolved, positives = bins.positives + excluded.positives,
    probability_sum = bins.probability_sum + excluded.probability_sum;

-- name: totals
SELECT
    active_model_id, sum(predictions)::bigint AS predictions, sum(alerts)::bigint AS alerts, sum(tp)::bigint AS tp,
    sum(fp)::bigint AS fp, sum(tn)::bigint AS tn, sum(fn)::bigint AS fn, sum(unresolved)::bigint AS unresolved
FROM prediction_stats GROUP BY active_model_id ORDER BY active_model_id;

-- name: lately
SELECT
    active_model_id, sum(tp)::bigint AS tp, sum(fp)::bigint AS fp, sum(alert_tp)::bigint AS alert_tp,
    sum(alert_fp)::bigint AS alert_fp
FROM prediction_stats WHERE bucket_start >= :since GROUP BY active_model_id;

-- name: model_id_of
SELECT model_id FROM prediction_stats WHERE active_model_id = :active_model_id LIMIT 1;

-- name: parts
-- All of it (0), by day (1), by phase (2): one look at the roll-ups for the three of them.
SELECT
    grouping(day, phase) AS part, day, phase, min(model_id) AS model_id, min(bucket_start) AS first_hour,
    max(bucket_start) AS last_hour, max(last_prediction_at) AS last_prediction_at, /*sums*/
FROM (
    SELECT *, date_trunc('day', bucket_start, 'UTC') AS day FROM prediction_stats
    WHERE active_model_id = :active_model_id AND bucket_start BETWEEN :hour_from AND :hour_to
) AS hours
GROUP BY GROUPING SETS ((), (day), (phase))
ORDER BY part DESC, day, phase;

-- name: hours
SELECT bucket_start, /*sums*/
FROM prediction_stats
WHERE active_model_id = :active_model_id AND bucket_start BETWEEN :hour_from AND :hour_to
GROUP BY bucket_start
ORDER BY bucket_start;

-- name: calibration
SELECT
    bin, sum(resolved)::bigint AS resolved, sum(positives)::bigint AS positives, sum(probability_sum) AS probability_sum
FROM prediction_calibration
WHERE active_model_id = :active_model_id AND bucket_start BETWEEN :hour_from AND :hour_to
GROUP BY bin
ORDER BY bin;

-- name: whole
SELECT count(DISTINCT active_model_id) AS models, max(last_prediction_at) AS last_prediction_at, /*sums*/
FROM prediction_stats;
