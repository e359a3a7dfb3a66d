-- name: compare
-- What waits for its horizon has the highest ids: the walk down the index (active_model_id, id) starts below it. Each row is
-- looked up for the other model in the unique key. Alerts are those of the thresholds of now, which may have been changed.
WITH waiting AS (
    SELECT least(
        (SELECT min(first_id) FROM prediction_dues WHERE active_model_id = :shadow_id),
        (SELECT min(first_id) FROM prediction_batches)
    ) AS first_id
),
pair AS MATERIALIZED (
    SELECT
        shadow.prediction AS shadow_prediction, shadow.probability AS shadow_probability,
        shadow.outcome AS shadow_outcome, shadow.actual_change_pct AS shadow_change,
        live.prediction AS live_prediction, live.probability AS live_probability,
        live.outcome AS live_outcome, live.actual_change_pct AS live_change,
        'unresolved' NOT IN (shadow.outcome, live.outcome) AS is_known
    FROM predictions AS shadow
    JOIN predictions AS live USING (coin_id, data_timestamp)
    WHERE shadow.active_model_id = :shadow_id AND live.active_model_id = :live_id
      AND shadow.id > :after_id AND shadow.id < coalesce((SELECT first_id FROM waiting), 9223372036854775807)
      AND shadow.outcome IS NOT NULL AND live.outcome IS NOT NULL
    ORDER BY shadow.id DESC
    LIMIT :most
),
said AS (
    SELECT
        model, prediction, probability, is_known, change, outcome IN ('tp', 'fn') AS is_true,
        probability >= threshold AS is_alert
    FROM pair
    CROSS JOIN LATERAL (
        VALUES
            ('challenger', shadow_prediction, shadow_probability, shadow_outcome, shadow_change, :shadow_threshold::float8),
            ('live', live_prediction, live_probability, live_outcome, live_change, :live_threshold)
    ) AS one (model, prediction, probability, outcome, change, threshold)
)
SELECT
    side.model,
    count(said.model) AS pairs,
    count(*) FILTER (WHERE is_known) AS outcomes,
    count(*) FILTER (WHERE is_known AND prediction = 1) AS positives,
    (avg(is_true::integer) FILTER (WHERE is_known AND prediction = 1))::float8 AS precision,
    count(*) FILTER (WHERE is_known AND is_alert) AS alerts,
    (avg(is_true::integer) FILTER (WHERE is_known AND is_alert))::float8 AS alert_precision,
    avg((probability - is_true::integer) ^ 2) FILTER (WHERE is_known) AS brier,
    count(*) FILTER (WHERE is_alert AND change IS NOT NULL) AS returns,
    avg(change) FILTER (WHERE is_alert) AS mean_return_pct
FROM (VALUES ('challenger'), ('live')) AS side (model)
LEFT JOIN said ON said.model = side.model
GROUP BY side.model;
