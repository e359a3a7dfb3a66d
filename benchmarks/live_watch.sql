-- name: latency
-- From the commit of a row to the commit of each of its predictions, by the server's own book.
SELECT
    count(*) AS pairs,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) * 1000 AS p50_ms,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) * 1000 AS p99_ms,
    max(seconds) * 1000 AS highest_ms
FROM (
    SELECT extract(epoch FROM pg_xact_commit_timestamp(said.xmin) - pg_xact_commit_timestamp(row.xmin))::float8 AS seconds
    FROM coin_metrics AS row
    JOIN predictions AS said ON said.coin_id = row.mint AND said.data_timestamp = row.timestamp
    WHERE row.id BETWEEN :first_id AND :last_id AND row.id % :every = 0
) AS pairs;

-- name: predictions
SELECT count(*) FROM predictions;

-- name: models
SELECT count(*) FROM prediction_active_models;

-- name: position
SELECT min(high) FROM worker_positions WHERE name LIKE 'live-%';

-- name: skipped
SELECT coalesce(jsonb_object_agg(reason, total), '{}')
FROM (
    SELECT reason, sum(number::bigint) AS total
    FROM worker_positions CROSS JOIN LATERAL jsonb_each_text(counters -> 'skipped') AS left_out (reason, number)
    WHERE name LIKE 'live-%'
    GROUP BY reason
) AS totals;

-- name: ready
SELECT bool_and(owner IS NOT NULL AND status ->> 'listener' = 'listen' AND status ->> 'trouble' IS NULL)
FROM worker_positions WHERE name LIKE 'live-%';

-- name: highest
SELECT coalesce(max(id), 0) FROM coin_metrics;

-- name: batched_position
SELECT high FROM batched_cursor;

-- name: backends
SELECT pid FROM pg_stat_activity WHERE application_name = :application;
