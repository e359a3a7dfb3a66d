-- name: clock
-- The newest of the shards: each of them sees all rows, and one that nobody answers for must not keep old rows of the others.
SELECT max(clock) FROM worker_positions WHERE name LIKE 'live-%';

-- name: delete_predictions
-- Looks at some rows in the order of their ids, which is about that of the recording, and deletes those that are old and
-- have their outcome, unless it is looked for once more. Rows that somebody holds are left for the next time. Where none is
-- old, older ones may stand behind: an older recording may have followed a newer one.
WITH looked AS MATERIALIZED (
    SELECT id, data_timestamp, outcome FROM predictions WHERE id > :after ORDER BY id LIMIT :most
), old AS MATERIALIZED (
    SELECT predictions.id
    FROM looked JOIN predictions USING (id)
    WHERE looked.data_timestamp < :before AND looked.outcome IS NOT NULL
      AND (looked.outcome <> 'unresolved' OR NOT EXISTS (
          SELECT FROM prediction_dues AS due
          WHERE is_second AND due.active_model_id = predictions.active_model_id AND due.data_from < :before
            AND looked.data_timestamp BETWEEN due.data_from AND due.data_to
      ))
    ORDER BY predictions.id
    FOR UPDATE OF predictions SKIP LOCKED
), gone AS (
    DELETE FROM predictions WHERE id IN (SELECT id FROM old) RETURNING 1
)
SELECT last, last IS NOT NULL AS has_old, (SELECT count(*) FROM gone) AS deleted
FROM (
    SELECT CASE WHEN min(data_timestamp) < :before THEN max(id) ELSE (
        -- By the index of times, not along the ids.
        SELECT min(behind.id) - 1
        FROM (SELECT id FROM predictions WHERE data_timestamp < :before OFFSET 0) AS behind
        WHERE behind.id > :after
    ) END AS last
    FROM looked
) AS swept;

-- name: delete_deliveries
-- With their attempts.
WITH looked AS MATERIALIZED (
    SELECT id, status, created_at, coalesce(resent_at, created_at) AS touched_at
    FROM webhook_deliveries WHERE id > :after ORDER BY id LIMIT :most
), old AS MATERIALIZED (
    SELECT webhook_deliveries.id
    FROM looked JOIN webhook_deliveries USING (id)
    WHERE looked.touched_at < clock_timestamp() - :age::interval AND looked.status <> 'pending'
    ORDER BY webhook_deliveries.id
    FOR UPDATE OF webhook_deliveries SKIP LOCKED
), gone AS (
    DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM old) RETURNING 1
)
SELECT max(id) AS last, min(created_at) < clock_timestamp() - :age::interval AS has_old,
       (SELECT count(*) FROM gone) AS deleted
FROM looked;

-- name: positions
SELECT high, pending FROM worker_positions WHERE name LIKE 'live-%';

-- name: activations
SELECT id, activation FROM prediction_active_models WHERE jsonb_array_length(activation) > 0;

-- name: shorten_activation
-- Nothing happens when the model was activated or deactivated meanwhile.
UPDATE prediction_active_models SET activation = :left WHERE id = :id AND activation = :known::jsonb;
