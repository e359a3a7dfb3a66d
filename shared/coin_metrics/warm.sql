-- name: newest_coins
-- The coins of so many of the newest rows, the one seen last first.
SELECT mint
FROM (SELECT mint, id FROM coin_metrics WHERE id <= :up_to ORDER BY id DESC LIMIT :rows) AS newest
GROUP BY mint
ORDER BY max(id) DESC;

-- name: tails
-- Of each wanted coin the newest rows, one per timestamp (the highest id), newest first.
SELECT wanted.ordinal, tail.id, tail.time, /*outer*/
FROM unnest(:mints::text[], :ids::bigint[]) WITH ORDINALITY AS wanted (mint, top, ordinal)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (coin_metrics.timestamp)
        id::bigint AS id, greatest(least(coin_metrics.timestamp, '9999-12-01Z'), '0001-02-01Z') AS time, /*columns*/
    FROM coin_metrics
    WHERE mint = wanted.mint AND timestamp <= :until::timestamptz AND id <= wanted.top
    ORDER BY coin_metrics.timestamp DESC, id DESC
    LIMIT :rows
) AS tail
ORDER BY wanted.ordinal, tail.time DESC;
