-- name: compare
-- What waits for its horizon has the highest ids: the walk down the index starts below it. Each row is looked up for the
-- other model in the unique key: a LIMIT keeps the planner from reading all that one said. Alerts are those of the
-- thresholds of now, which may have been changed.
-- The rows of a coin rise and fall together: how far chance may carry the lead is told by how coins differ, as a standard
-- error of the difference of two means over the same coins (each mean linearised, one residual for each coin).
WITH waiting AS (
    SELECT least(
        (SELECT min(first_id) FROM prediction_dues WHERE active_model_id = :shadow_id),
        (SELECT min(first_id) FROM prediction_batches)
    ) AS first_id
), pair AS MATERIALIZED (
    SELECT
        shadow.coin_id, 'unresolved' NOT IN (shadow.outcome, live.outcome) AS is_known,
        shadow.prediction AS shadow_prediction, shadow.probability AS shadow_probability,
        shadow.actual_change_pct AS shadow_change, (shadow.outcome IN ('tp', 'fn'))::integer::float8 AS shadow_true,
        shadow.probability >= :shadow_threshold AS shadow_alert,
        live.prediction AS live_prediction, live.probability AS live_probability,
        live.actual_change_pct AS live_change, (live.outcome IN ('tp', 'fn'))::integer::float8 AS live_true,
        live.probability >= :live_threshold AS live_alert
    FROM (
        SELECT id, coin_id, data_timestamp, prediction, probability, outcome, actual_change_pct
        FROM predictions
        WHERE active_model_id = :shadow_id AND outcome IS NOT NULL
          AND id > :after_id AND id < coalesce((SELECT first_id FROM waiting), 9223372036854775807)
        ORDER BY id DESC
        LIMIT :most_rows
    ) AS shadow
    CROSS JOIN LATERAL (
        SELECT prediction, probability, outcome, actual_change_pct
        FROM predictions AS other
        WHERE other.coin_id = shadow.coin_id AND other.data_timestamp = shadow.data_timestamp
          AND other.active_model_id = :live_id AND other.outcome IS NOT NULL
        LIMIT 1
    ) AS live
    ORDER BY shadow.id DESC
    LIMIT :most_pairs
), measured AS (
    SELECT
        coin_id,
        CASE :metric::text
            WHEN 'precision' THEN CASE WHEN is_known AND shadow_prediction = 1 THEN shadow_true END
            WHEN 'alert_precision' THEN CASE WHEN is_known AND shadow_alert THEN shadow_true END
            WHEN 'brier' THEN CASE WHEN is_known THEN (shadow_probability - shadow_true) ^ 2 END
            WHEN 'mean_return' THEN CASE WHEN shadow_alert THEN shadow_change END
        END AS ours,
        CASE :metric::text
            WHEN 'precision' THEN CASE WHEN is_known AND live_prediction = 1 THEN live_true END
            WHEN 'alert_precision' THEN CASE WHEN is_known AND live_alert THEN live_true END
            WHEN 'brier' THEN CASE WHEN is_known THEN (live_probability - live_true) ^ 2 END
            WHEN 'mean_return' THEN CASE WHEN live_alert THEN live_change END
        END AS theirs
    FROM pair
), means AS (
    SELECT
        nullif(count(ours), 0) AS our_count, avg(ours) AS our_mean,
        nullif(count(theirs), 0) AS their_count, avg(theirs) AS their_mean
    FROM measured
), residuals AS (
    SELECT
        coalesce(sum(ours - our_mean), 0) / min(our_count)
            - coalesce(sum(theirs - their_mean), 0) / min(their_count) AS residual
    FROM measured CROSS JOIN means
    WHERE ours IS NOT NULL OR theirs IS NOT NULL
    GROUP BY coin_id
), spread AS (
    SELECT count(*) AS coins, sqrt(sum(residual ^ 2) * count(*) / nullif(count(*) - 1, 0)) AS standard_error
    FROM residuals
)
SELECT
    (SELECT coins FROM spread) AS coins, (SELECT standard_error FROM spread) AS standard_error,
    count(*) AS pairs,
    count(*) FILTER (WHERE is_known) AS shadow_outcomes,
    count(*) FILTER (WHERE is_known AND shadow_prediction = 1) AS shadow_positives,
    avg(shadow_true) FILTER (WHERE is_known AND shadow_prediction = 1) AS shadow_precision,
    count(*) FILTER (WHERE is_known AND shadow_alert) AS shadow_alerts,
    avg(shadow_true) FILTER (WHERE is_known AND shadow_alert) AS shadow_alert_precision,
    avg((shadow_probability - shadow_true) ^ 2) FILTER (WHERE is_known) AS shadow_brier,
    count(shadow_change) FILTER (WHERE shadow_alert) AS shadow_returns,
    avg(shadow_change) FILTER (WHERE shadow_alert) AS shadow_mean_return_pct,
    count(*) FILTER (WHERE is_known) AS live_outcomes,
    count(*) FILTER (WHERE is_known AND live_prediction = 1) AS live_positives,
    avg(live_true) FILTER (WHERE is_known AND live_prediction = 1) AS live_precision,
    count(*) FILTER (WHERE is_known AND live_alert) AS live_alerts,
    avg(live_true) FILTER (WHERE is_known AND live_alert) AS live_alert_precision,
    avg((live_probability - live_true) ^ 2) FILTER (WHERE is_known) AS live_brier,
    count(live_change) FILTER (WHERE live_alert) AS live_returns,
    avg(live_change) FILTER (WHERE live_alert) AS live_mean_return_pct
FROM pair;
