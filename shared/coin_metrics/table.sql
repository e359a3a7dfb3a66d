-- name: columns
-- The tracker may have other columns, or lack some.
SELECT attname::text AS name, format_type(atttypid, NULL) AS type
FROM pg_attribute
WHERE attrelid = to_regclass('coin_metrics') AND attnum > 0 AND NOT attisdropped;

-- name: clock_rows
-- What is ahead of the limit has to be believed first; of the rest the newest row counts. Times outside all calendars,
-- infinity too, are brought inside.
SELECT greatest(least(timestamp, '9999-12-01Z'), '0001-02-01Z') AS time, mint
FROM (
    SELECT timestamp, mint FROM coin_metrics WHERE timestamp > :limit
    UNION ALL
    (SELECT timestamp, mint FROM coin_metrics WHERE timestamp <= :limit ORDER BY timestamp DESC LIMIT 1)
) AS found;

-- name: few_coins
-- Rows ahead of the limit are in doubt themselves: only where there are no others do they tell how many coins send.
WITH believed AS MATERIALIZED (
    SELECT mint FROM coin_metrics WHERE timestamp <= :limit ORDER BY timestamp DESC LIMIT 1000
), newest AS (
    SELECT mint FROM believed
    UNION ALL
    (SELECT mint FROM coin_metrics WHERE NOT EXISTS (SELECT FROM believed) ORDER BY timestamp DESC LIMIT 1000)
)
SELECT count(DISTINCT mint) < 3 AS few FROM newest;

-- name: untracked
-- Phases whose interval is 0: nobody records these coins any more.
SELECT id::int8 AS id FROM ref_coin_phases WHERE interval_seconds = 0;
