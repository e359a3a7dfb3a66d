-- name: newest_id
SELECT coalesce(pg_sequence_last_value('predictions_id_seq'::regclass), 0);

-- name: insert
-- Without an end, it is the newest id that was given: that of the batch, or of one written beside it.
INSERT INTO prediction_batches (first_id, last_id, entries)
SELECT
    -- Fewer ids than predictions: the table was emptied and counts from 1 again.
    CASE WHEN newest.id - :first_id < :predictions::bigint - 1 THEN 1 ELSE least(:first_id, newest.id) END,
    newest.id, :entries
FROM (SELECT coalesce(:last_id::bigint, pg_sequence_last_value('predictions_id_seq'::regclass)) AS id) AS newest
RETURNING last_id;

-- name: take
DELETE FROM prediction_batches
WHERE id IN (SELECT id FROM prediction_batches ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED)
RETURNING id, first_id, last_id, entries;

-- name: count_waiting
SELECT coalesce(sum((cell ->> 2)::bigint), 0)::bigint
FROM prediction_batches
CROSS JOIN LATERAL jsonb_array_elements(entries) AS entry
CROSS JOIN LATERAL jsonb_array_elements(entry -> 'cells') AS cell;
