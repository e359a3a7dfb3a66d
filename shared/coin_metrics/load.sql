-- name: count
SELECT count(*)::int8 AS rows FROM coin_metrics WHERE timestamp BETWEEN :start AND :until AND {sampled};

-- name: coins
SELECT count(*)::int8 AS present, (count(*) FILTER (WHERE {sampled}))::int8 AS kept
FROM (SELECT DISTINCT mint FROM coin_metrics WHERE timestamp BETWEEN :start AND :end_) c;

-- name: sizes
SELECT {hash} AS hash, rows
FROM (
    SELECT mint, count(*)::int8 AS rows FROM coin_metrics WHERE timestamp BETWEEN :start AND :until GROUP BY mint
) c;

-- name: rows
-- No ORDER BY: sorting integers afterwards is many times faster than sorting texts here.
SELECT mint, timestamp, id, phase_id_at_time{columns}
FROM coin_metrics WHERE timestamp BETWEEN :start AND :until AND {sampled};

-- name: history
-- One probe of the index (mint, timestamp) for each coin of the window; a repeated moment counts once. Times outside all
-- calendars, infinity too, are brought inside.
SELECT h.mint, greatest(h.timestamp, '0001-02-01Z') AS timestamp, h.id, h.phase_id_at_time{names}
FROM (SELECT DISTINCT mint FROM coin_metrics WHERE timestamp BETWEEN :start AND :end_ AND {sampled}) c
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.timestamp) mint, timestamp, id, phase_id_at_time{columns}
    FROM coin_metrics m
    WHERE m.mint = c.mint AND m.timestamp < :start
    ORDER BY m.timestamp DESC, m.id DESC
    LIMIT {limit}
) h;

-- name: last_seen
SELECT c.mint, (SELECT max(m.timestamp) FROM coin_metrics m WHERE m.mint = c.mint AND m.timestamp <= :clock) AS timestamp
FROM (SELECT DISTINCT mint FROM coin_metrics WHERE timestamp BETWEEN :start AND :end_ AND {sampled}) c;
