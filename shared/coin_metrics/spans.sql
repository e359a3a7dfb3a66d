-- name: file
SELECT pg_relation_filenode(to_regclass('coin_metrics'))::bigint;

-- name: spans
-- Rows of each coin in a stretch of time of its own. Packed, since a row of the result would cost more than reading it.
SELECT
    string_agg(int4send(coin), '') AS coin, string_agg(timestamptz_send(time), '') AS time,
    string_agg(int8send(id), '') AS id, string_agg(int4send(phase), '') AS phase/*packed*/
FROM (
    SELECT wanted.coin::int AS coin, row.*
    FROM unnest(:mints::text[], :starts::timestamptz[], :ends::timestamptz[])
        WITH ORDINALITY AS wanted (mint, start, stop, coin)
    CROSS JOIN LATERAL (
        SELECT coin_metrics.timestamp AS time, id, coalesce(phase_id_at_time, -1)::int AS phase, /*columns*/
        FROM coin_metrics
        WHERE mint = wanted.mint AND coin_metrics.timestamp BETWEEN wanted.start AND wanted.stop
    ) AS row
) AS found;

-- name: last_seen
SELECT string_agg(timestamptz_send(greatest(newest.time, '0001-02-01Z')), '' ORDER BY wanted.coin)
FROM unnest(:mints::text[]) WITH ORDINALITY AS wanted (mint, coin)
CROSS JOIN LATERAL (
    SELECT max(coin_metrics.timestamp) AS time FROM coin_metrics
    WHERE mint = wanted.mint AND coin_metrics.timestamp <= :clock
) AS newest;

-- name: ends
-- The first row of each coin, in a stretch of time of its own, that shows it as no longer followed.
SELECT wanted.coin::int AS coin, greatest(shown.time, '0001-02-01Z') AS time
FROM unnest(:mints::text[], :starts::timestamptz[], :ends::timestamptz[])
    WITH ORDINALITY AS wanted (mint, start, stop, coin)
CROSS JOIN LATERAL (
    SELECT time FROM (
        -- Of rows that were written again only the last one counts.
        SELECT DISTINCT ON (coin_metrics.timestamp)
            coin_metrics.timestamp AS time, phase_id_at_time AS phase, /*columns*/
        FROM coin_metrics
        WHERE mint = wanted.mint AND coin_metrics.timestamp >= wanted.start AND coin_metrics.timestamp < wanted.stop
        ORDER BY coin_metrics.timestamp, id DESC
    ) AS row
    WHERE phase = ANY(:untracked::int[])
       OR (bonding_curve_pct >= :graduated_pct::float8 AND bonding_curve_pct < 'Infinity')
    ORDER BY time
    LIMIT 1
) AS shown;
