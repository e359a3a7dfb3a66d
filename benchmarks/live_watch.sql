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
SELECT high FROM worker_positions WHERE name = 'live';

-- name: skipped
SELECT coalesce(counters -> 'skipped', '{}') FROM worker_positions WHERE name = 'live';

-- name: ready
SELECT status ->> 'listener' = 'listen' AND status ->> 'trouble' IS NULL
FROM worker_positions WHERE name = 'live' AND owner IS NOT NULL;

-- name: highest
SELECT coalesce(max(id), 0) FROM coin_metrics;
