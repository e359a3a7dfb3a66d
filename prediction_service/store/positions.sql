-- name: lock
-- Locks the row against the live worker's commit, so that a change of models falls between two batches.
UPDATE worker_positions SET models_version = models_version + 1 WHERE name = 'live'
RETURNING high, pending, models_version;

-- name: create
INSERT INTO worker_positions (name, high, pending, clock) VALUES ('live', :high, :pending, :clock)
ON CONFLICT (name) DO NOTHING;

-- name: reported
SELECT status, counters FROM worker_positions WHERE name = 'live';

-- name: table_exists
SELECT to_regclass('coin_metrics') IS NOT NULL;

-- name: floor
-- Below so many of the newest rows; an id that was written by hand may be far from the others.
SELECT coalesce((SELECT id FROM coin_metrics ORDER BY id DESC OFFSET :rows LIMIT 1), 0);

-- name: capture
-- One statement, one snapshot: the newest id, ids below it that are not visible now, pending ids that have become visible.
WITH fresh AS (
    SELECT id, lag(id, 1, :floor::bigint) OVER (ORDER BY id) AS before FROM coin_metrics WHERE id > :floor
)
SELECT
    coalesce((SELECT max(id) FROM fresh), :floor::bigint) AS high,
    (SELECT coalesce(jsonb_agg(jsonb_build_array(before + 1, id - 1) ORDER BY id), '[]') FROM fresh WHERE id > before + 1)
        AS holes,
    (SELECT coalesce(array_agg(row.id ORDER BY row.id), '{}')
     FROM unnest(:lows::bigint[], :highs::bigint[]) AS gap (low, high)
     JOIN coin_metrics AS row ON row.id BETWEEN gap.low AND gap.high) AS appeared;

-- name: own
UPDATE worker_positions SET owner = :owner WHERE name = 'live'
RETURNING high, pending, clock, models_version, counters;

-- name: save
-- No row comes back when another worker has taken over, a model was activated since, or the table was emptied or made anew
-- (it then lies in another file): the batch is then done again.
UPDATE worker_positions
SET high = :high, pending = :pending, clock = :clock, counters = :counters, updated_at = clock_timestamp()
WHERE name = 'live' AND owner = :owner AND models_version = :models_version
  AND pg_relation_filenode(to_regclass('coin_metrics'))::bigint IS NOT DISTINCT FROM (:counters::jsonb ->> 'file')::bigint
RETURNING 1;

-- name: report
UPDATE worker_positions SET status = :status WHERE name = 'live' AND owner = :owner;

-- name: oldest_transaction
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint;

-- name: next_transaction
-- A number of its own: the upper end of a snapshot lies below transactions that are open, and would not do.
SELECT pg_current_xact_id()::text::bigint;

-- name: identity
-- A table that was emptied or made anew lies in another file.
SELECT pg_relation_filenode('coin_metrics')::bigint AS file, (SELECT coalesce(max(id), 0) FROM coin_metrics) AS highest;

-- name: row_is
SELECT mint = :mint AND greatest(least(timestamp, '9999-12-01Z'), '0001-02-01Z') = :at FROM coin_metrics WHERE id = :id;

-- name: newest_mints
-- Of rows that are believed: what is ahead of both clocks must not tell how many coins send.
SELECT mint FROM coin_metrics
WHERE timestamp <= greatest(:wall, (SELECT clock FROM worker_positions WHERE name = 'live')) + :ahead::interval
ORDER BY timestamp DESC LIMIT :most;
