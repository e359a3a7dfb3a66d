-- name: lock
-- Locks the rows against the commits of live workers, so that a change of models falls between two batches. All who lock
-- several rows do so in the order of their names.
WITH locked AS MATERIALIZED (SELECT name FROM worker_positions WHERE name LIKE 'live-%' ORDER BY name FOR UPDATE)
UPDATE worker_positions AS position SET models_version = position.models_version + 1
FROM locked WHERE position.name = locked.name
RETURNING high, pending;

-- name: create
INSERT INTO worker_positions (name, high, pending, clock, models_version)
SELECT
    'live-' || shard, :high, :pending, :clock,
    (SELECT coalesce(max(models_version), 0) FROM worker_positions WHERE name LIKE 'live-%')
FROM generate_series(0, :shards::int - 1) AS shard
ORDER BY shard
ON CONFLICT (name) DO NOTHING;

-- name: reported
SELECT name, owner, clock, status, counters FROM worker_positions WHERE name LIKE 'live-%' ORDER BY name;

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
WITH locked AS MATERIALIZED (SELECT name FROM worker_positions WHERE name = ANY(:names) ORDER BY name FOR UPDATE)
UPDATE worker_positions AS position SET owner = :owner
FROM locked WHERE position.name = locked.name
RETURNING
    position.name, high, pending, clock, models_version, counters, table_mark,
    extract(epoch FROM clock_timestamp() - updated_at)::float8 AS idle_seconds;

-- name: lock_all
SELECT
    name, high, pending, clock, models_version, counters, table_mark,
    extract(epoch FROM clock_timestamp() - updated_at)::float8 AS idle_seconds
FROM worker_positions WHERE name LIKE 'live-%' ORDER BY name FOR UPDATE;

-- name: renew
-- Of a table that was only written to another file everything else stays true.
UPDATE worker_positions
SET models_version = models_version + 1, table_mark = table_mark || jsonb_build_object('file', :file::bigint)
WHERE name LIKE 'live-%';

-- name: restart
UPDATE worker_positions
SET models_version = models_version + 1, table_mark = jsonb_build_object('file', :file::bigint),
    high = 0, pending = '[]', clock = NULL, updated_at = clock_timestamp()
WHERE name LIKE 'live-%';

-- name: save
-- Nothing comes back when another worker has taken one of the rows over, models were changed since, or the table was
-- emptied or made anew (it then lies in another file): the batch is then done again. Otherwise the transaction's number.
WITH mine AS MATERIALIZED (
    SELECT name FROM worker_positions
    WHERE name = ANY(:names) AND owner = :owner AND models_version = :models_version
      AND pg_relation_filenode(to_regclass('coin_metrics'))::bigint
          IS NOT DISTINCT FROM (:table_mark::jsonb ->> 'file')::bigint
    ORDER BY name
    FOR UPDATE
), saved AS (
    UPDATE worker_positions AS position
    SET high = (:highs::bigint[])[given.place],
        pending = (:pendings::jsonb -> given.place - 1),
        clock = (:clocks::timestamptz[])[given.place],
        counters = CASE given.number WHEN 1 THEN :counters ELSE position.counters END,
        table_mark = :table_mark,
        updated_at = clock_timestamp()
    FROM unnest(:names::text[], :places::int[]) WITH ORDINALITY AS given (name, place, number)
    WHERE position.name = given.name AND (SELECT count(*) FROM mine) = cardinality(:names)
    RETURNING 1
)
SELECT pg_current_xact_id()::text::bigint FROM saved LIMIT 1;

-- name: report
WITH locked AS MATERIALIZED (SELECT name FROM worker_positions WHERE owner = :owner ORDER BY name FOR UPDATE)
UPDATE worker_positions AS position SET status = :status FROM locked WHERE position.name = locked.name;

-- name: least_clock
-- Of no shard may rows be missing that the others know; before the first batch of one, nothing is known.
SELECT CASE WHEN count(clock) = count(*) THEN min(clock) END FROM worker_positions WHERE name LIKE 'live-%';

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
WHERE timestamp <= greatest(:wall, (SELECT max(clock) FROM worker_positions WHERE name LIKE 'live-%')) + :ahead::interval
ORDER BY timestamp DESC LIMIT :most;
