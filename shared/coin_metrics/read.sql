-- name: since
-- Times outside all calendars, infinity too, are brought inside, or one such row would stop everything.
SELECT
    id, mint, greatest(least(coin_metrics.timestamp, '9999-12-01Z'), '0001-02-01Z') AS time, phase_id_at_time, /*columns*/
FROM coin_metrics
WHERE id > :high
ORDER BY id
LIMIT :most;

-- name: among
SELECT
    id, mint, greatest(least(coin_metrics.timestamp, '9999-12-01Z'), '0001-02-01Z') AS time, phase_id_at_time, /*columns*/
FROM unnest(:lows::bigint[], :highs::bigint[]) AS gap (low, high)
JOIN coin_metrics ON id BETWEEN gap.low AND gap.high
ORDER BY id
LIMIT :most;

-- name: tails
-- Of each wanted coin the newest rows up to a time, one per timestamp (the highest id), newest first; and whether the coin
-- has rows after that time.
WITH wanted AS MATERIALIZED (
    SELECT mint, time, top, ordinal, EXISTS (
        SELECT FROM coin_metrics AS later
        WHERE later.mint = asked.mint AND later.timestamp > asked.time AND later.timestamp <= :until
          AND later.id <= asked.top
    ) AS behind
    FROM unnest(:mints::text[], :times::timestamptz[], :ids::bigint[]) WITH ORDINALITY AS asked (mint, time, top, ordinal)
)
SELECT wanted.ordinal, wanted.behind, tail.*
FROM wanted
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (coin_metrics.timestamp)
        id, greatest(least(coin_metrics.timestamp, '9999-12-01Z'), '0001-02-01Z') AS time, phase_id_at_time, /*columns*/
    FROM coin_metrics
    WHERE mint = wanted.mint AND timestamp <= wanted.time AND id <= wanted.top
    ORDER BY coin_metrics.timestamp DESC, id DESC
    LIMIT :most
) AS tail
ORDER BY wanted.ordinal, tail.time DESC;
