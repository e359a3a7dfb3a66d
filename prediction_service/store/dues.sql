-- name: insert
INSERT INTO prediction_dues (
    active_model_id, model_id, target, data_from, data_to, first_id, last_id, due_at, is_second
)
SELECT * FROM unnest(
    :active_model_ids::bigint[], :model_ids::bigint[], :targets::jsonb[], :data_from::timestamptz[],
    :data_to::timestamptz[], :first_ids::bigint[], :last_ids::bigint[], :due_at::timestamptz[],
    :are_second::boolean[]
);

-- name: list_due
SELECT id, active_model_id, model_id, target, data_from, data_to, first_id, last_id, is_second
FROM prediction_dues
WHERE due_at <= :clock AND active_model_id <> ALL(:left_out::bigint[]) AND id <> ALL(:unreadable::bigint[])
ORDER BY due_at, id
LIMIT :most;

-- name: oldest
SELECT min(due_at) FROM prediction_dues;

-- name: lock
SELECT count(*) FROM (
    SELECT FROM prediction_dues WHERE id = ANY(:ids::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED
) AS locked;

-- name: delete
DELETE FROM prediction_dues WHERE id = ANY(:ids::bigint[]);

-- name: coins
-- Coins with predictions that wait, and how many of them: those of each due lie close together in its model's index.
SELECT coin_id, count(*) AS waiting
FROM unnest(
    :active_model_ids::bigint[], :data_from::timestamptz[], :data_to::timestamptz[], :first_ids::bigint[], :last_ids::bigint[],
    :are_second::boolean[]
) AS due (active_model_id, data_from, data_to, first_id, last_id, is_second)
JOIN predictions
    ON predictions.active_model_id = due.active_model_id AND id BETWEEN first_id AND last_id
    AND data_timestamp BETWEEN data_from AND data_to AND (outcome IS NULL OR (is_second AND outcome = 'unresolved'))
GROUP BY coin_id;

-- name: waiting
-- What of these coins waits. Packed, since a row of the result would cost more than reading it.
SELECT
    string_agg(int8send(id), '') AS id, string_agg(int4send(coin), '') AS coin,
    string_agg(timestamptz_send(data_timestamp), '') AS time, string_agg(int4send(question), '') AS question,
    string_agg(int2send(prediction), '') AS prediction, string_agg(boolsend(is_alert), '') AS alert,
    string_agg(float8send(probability), '') AS probability, string_agg(int4send(phase), '') AS phase,
    string_agg(boolsend(again), '') AS again, string_agg(boolsend(has_change), '') AS has_change
FROM (
    SELECT
        said.id, wanted.coin::int AS coin, data_timestamp, asked.question::int AS question, prediction, is_alert,
        probability, coalesce(phase_id_at_time, -1) AS phase, outcome IS NOT NULL AS again,
        actual_change_pct IS NOT NULL AS has_change
    FROM unnest(:coins::text[]) WITH ORDINALITY AS wanted (mint, coin)
    JOIN predictions AS said
        ON said.coin_id = wanted.mint AND data_timestamp BETWEEN :earliest AND :latest
        AND (outcome IS NULL OR outcome = 'unresolved')
    JOIN unnest(
        :active_model_ids::bigint[], :data_from::timestamptz[], :data_to::timestamptz[], :first_ids::bigint[],
        :last_ids::bigint[], :are_second::boolean[]
    ) WITH ORDINALITY AS asked (active_model_id, data_from, data_to, first_id, last_id, is_second, question)
        ON said.active_model_id = asked.active_model_id AND said.id BETWEEN first_id AND last_id
        AND data_timestamp BETWEEN asked.data_from AND asked.data_to AND (outcome IS NULL OR is_second)
) AS found;

-- name: resolve
WITH resolved AS (
    UPDATE predictions SET
        outcome = (:names::text[])[given.outcome + 1],
        -- What was counted stays as it was counted.
        actual_change_pct = coalesce(actual_change_pct, nullif(given.change, 'NaN')),
        highest_change_pct = greatest(highest_change_pct, nullif(given.highest, 'NaN')),
        lowest_change_pct = least(lowest_change_pct, nullif(given.lowest, 'NaN')),
        evaluated_at = clock_timestamp()
    FROM unnest(
        :ids::bigint[], :again::boolean[], :outcomes::int[], :changes::float8[], :highest::float8[], :lowest::float8[]
    ) AS given (id, again, outcome, change, highest, lowest)
    WHERE predictions.id = given.id
      AND CASE WHEN again THEN predictions.outcome = 'unresolved' ELSE predictions.outcome IS NULL END
    RETURNING predictions.id
)
SELECT string_agg(int8send(id), '') FROM resolved;
