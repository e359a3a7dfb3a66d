-- name: columns
-- The tracker may have other columns, or lack some.
SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS type
FROM pg_attribute a
WHERE a.attrelid = to_regclass('coin_metrics') AND a.attnum > 0 AND NOT a.attisdropped;

-- name: untracked
-- Phases whose interval is 0: nobody records these coins any more.
SELECT id::int8 AS id FROM ref_coin_phases WHERE interval_seconds = 0;

-- name: ahead
-- Whatever is ahead of the wall clock has to be believed first.
(SELECT timestamp, mint FROM coin_metrics WHERE timestamp > :believed)
UNION ALL
(SELECT timestamp, mint FROM coin_metrics WHERE timestamp <= :believed ORDER BY timestamp DESC LIMIT 1);

-- name: few_coins
SELECT count(DISTINCT mint) < 3 AS few
FROM (SELECT mint FROM coin_metrics ORDER BY timestamp DESC LIMIT 1000) AS newest;

-- name: count
SELECT count(*)::int8 AS rows FROM coin_metrics WHERE timestamp BETWEEN :start AND :until;

-- name: rows
-- No ORDER BY: sorting integers afterwards is many times faster than sorting texts here.
SELECT mint, timestamp, id, phase_id_at_time{columns} FROM coin_metrics WHERE timestamp BETWEEN :start AND :until;

-- name: history
-- One probe of the index (mint, timestamp) for each coin of the window; a repeated moment counts once.
SELECT h.mint, h.timestamp, h.id, h.phase_id_at_time{names}
FROM (SELECT DISTINCT mint FROM coin_metrics WHERE timestamp BETWEEN :start AND :end_) c
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.timestamp) mint, timestamp, id, phase_id_at_time{columns}
    FROM coin_metrics m
    WHERE m.mint = c.mint AND m.timestamp < :start
    ORDER BY m.timestamp DESC, m.id DESC
    LIMIT {limit}
) h;

-- name: last_seen
SELECT c.mint, (SELECT max(m.timestamp) FROM coin_metrics m WHERE m.mint = c.mint AND m.timestamp <= :clock) AS timestamp
FROM (SELECT DISTINCT mint FROM coin_metrics WHERE timestamp BETWEEN :start AND :end_) c;
