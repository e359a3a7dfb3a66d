-- name: page
SELECT /*columns*/ FROM predictions WHERE true /*where*/ ORDER BY id DESC LIMIT :most;

-- name: page_of_coin
-- A coin has few predictions: all of them are looked at, which no guess of the planner can make slow.
WITH chosen AS MATERIALIZED (SELECT /*columns*/ FROM predictions WHERE true /*where*/)
SELECT * FROM chosen ORDER BY id DESC LIMIT :most;

-- name: page_of_models
SELECT page.*
FROM unnest(:active_ids::bigint[]) AS wanted (active_id)
CROSS JOIN LATERAL (
    SELECT /*columns*/ FROM predictions WHERE active_model_id = wanted.active_id /*where*/ ORDER BY id DESC LIMIT :most
) AS page
ORDER BY page.id DESC
LIMIT :most;

-- name: active_ids_of_model
-- Jumps from one active model to the next in the index, as deleted ones are known to this table alone.
WITH RECURSIVE seen AS (
    (SELECT active_model_id, model_id FROM predictions ORDER BY active_model_id, id LIMIT 1)
    UNION ALL
    SELECT next.active_model_id, next.model_id
    FROM seen
    CROSS JOIN LATERAL (
        SELECT active_model_id, model_id FROM predictions
        WHERE active_model_id > seen.active_model_id
        ORDER BY active_model_id, id
        LIMIT 1
    ) AS next
)
SELECT active_model_id FROM seen WHERE model_id = :model_id;

-- name: get
SELECT /*columns*/ FROM predictions WHERE id = :id;

-- name: latest
SELECT DISTINCT ON (active_model_id) /*columns*/
FROM predictions
WHERE coin_id = :coin_id AND (:model_id::bigint IS NULL OR model_id = :model_id)
  AND active_model_id IN (SELECT id FROM prediction_active_models)
ORDER BY active_model_id, data_timestamp DESC, id DESC;

-- name: of_coin
SELECT /*columns*/
FROM predictions
WHERE coin_id = :coin_id
  AND data_timestamp BETWEEN :date_from AND :date_to
  AND (:active_model_id::bigint IS NULL OR active_model_id = :active_model_id)
ORDER BY data_timestamp DESC, active_model_id DESC
LIMIT :most;

-- name: existing
SELECT predictions.active_model_id, predictions.coin_id, predictions.data_timestamp
FROM unnest(:coin_ids::text[], :timestamps::timestamptz[]) AS wanted (coin_id, data_timestamp)
JOIN predictions USING (coin_id, data_timestamp)
WHERE predictions.active_model_id = ANY(:active_model_ids);
