-- name: due
-- Days that have other predictions than when they were measured, newest first; totals, as predictions are too many to count.
-- Where the recording stands is told by what was counted lately: one of older days may have taken the place of another.
WITH recent AS MATERIALIZED (
    SELECT bucket_start FROM prediction_stats
    WHERE updated_at >= (SELECT max(updated_at) FROM prediction_stats) - interval '1 hour'
), model AS MATERIALIZED (SELECT id, model_id FROM prediction_active_models WHERE manifest ? 'histograms')
SELECT model.id AS active_model_id, model.model_id, counted.day, counted.predictions
FROM (
    SELECT active_model_id, (bucket_start AT TIME ZONE 'UTC')::date AS day, sum(predictions)::bigint AS predictions
    FROM prediction_stats
    WHERE bucket_start >= (SELECT max(bucket_start) FROM recent) - make_interval(days => :days)
      AND bucket_start <= (SELECT max(bucket_start) FROM recent)
    GROUP BY 1, 2
) AS counted
JOIN model ON model.id = counted.active_model_id
LEFT JOIN prediction_drift AS known ON known.active_model_id = model.id AND known.day = counted.day
WHERE counted.predictions > 0 AND counted.predictions IS DISTINCT FROM known.predictions
ORDER BY counted.day DESC, model.id;

-- name: reference
SELECT manifest -> 'features' AS features, manifest -> 'histograms' AS histograms,
       manifest -> 'score_histogram' AS score_histogram
FROM prediction_active_models WHERE id = :id AND manifest ? 'histograms';

-- name: ends
SELECT min(id) AS lowest, max(id) AS highest FROM predictions;

-- name: probe
-- One jump into the primary key for each id.
SELECT probed.id, data_timestamp
FROM unnest(:ids::bigint[]) WITH ORDINALITY AS asked (id, ordinal)
CROSS JOIN LATERAL (
    SELECT id, data_timestamp FROM predictions WHERE id >= asked.id ORDER BY id LIMIT 1
) AS probed
ORDER BY asked.ordinal;

-- name: few
-- By a hash of the id: coins come in the same order every time, so that each n-th id could always be the same coin.
SELECT coin_id, data_timestamp, probability
FROM predictions
WHERE active_model_id = :active_model_id AND id BETWEEN :lowest AND :highest
  AND data_timestamp >= :start AND data_timestamp < :until
  AND hashint8extended(id, 0) % :one_in = 0
ORDER BY id
LIMIT :most;

-- name: chosen
SELECT coin_id, data_timestamp, probability
FROM predictions
WHERE id = ANY(:ids::bigint[]) AND active_model_id = :active_model_id
  AND data_timestamp >= :start AND data_timestamp < :until
ORDER BY id;

-- name: put
INSERT INTO prediction_drift (active_model_id, model_id, day, rows, predictions, score_psi, features, computed_at)
VALUES (:active_model_id, :model_id, :day, :rows, :predictions, :score_psi, :features, clock_timestamp())
ON CONFLICT (active_model_id, day) DO UPDATE
SET model_id = excluded.model_id, rows = excluded.rows, predictions = excluded.predictions,
    score_psi = excluded.score_psi, features = excluded.features, computed_at = excluded.computed_at;

-- name: list
SELECT model_id, day, rows, predictions, score_psi, features, computed_at
FROM prediction_drift
WHERE active_model_id = :active_model_id
ORDER BY day DESC
LIMIT :most;

-- name: newest_scores
-- Of the newest measured day of each model; a jump into the primary key for each.
SELECT model.id AS active_model_id, newest.score_psi
FROM prediction_active_models AS model
CROSS JOIN LATERAL (
    SELECT score_psi FROM prediction_drift WHERE active_model_id = model.id ORDER BY day DESC LIMIT 1
) AS newest
WHERE model.is_active AND newest.score_psi IS NOT NULL;
