-- name: phases
SELECT id, name, interval_seconds, min_age_minutes, max_age_minutes FROM ref_coin_phases ORDER BY id;

-- name: first
-- greatest() passes over NULL, so the empty table is asked for apart.
SELECT CASE WHEN min(timestamp) IS NOT NULL THEN greatest(least(min(timestamp), '9999-12-01Z'), '0001-02-01Z') END AS first
FROM coin_metrics;

-- name: estimated_rows
SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass('coin_metrics');

-- name: rows
SELECT count(*) FROM coin_metrics;

-- name: coins
-- One probe of the index (mint, timestamp) for each coin instead of a look at every row.
WITH RECURSIVE coins AS (
    (SELECT mint FROM coin_metrics ORDER BY mint LIMIT 1)
    UNION ALL
    SELECT (SELECT m.mint FROM coin_metrics m WHERE m.mint > coins.mint ORDER BY m.mint LIMIT 1)
    FROM coins WHERE coins.mint IS NOT NULL
)
SELECT count(mint) FROM coins;

-- name: limits
SET LOCAL statement_timeout = '10 s';

-- name: lock_limit
SET LOCAL lock_timeout = '2 s';
