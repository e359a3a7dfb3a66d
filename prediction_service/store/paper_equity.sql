-- name: insert
INSERT INTO paper_equity_history
    (account_id, round, recorded_at, balance, unrealised_pnl, equity, open_positions, reason)
VALUES (:account_id, :round, :recorded_at, :balance, :unrealised_pnl, :equity, :open_positions, :reason);

-- name: insert_mark
-- At most one in 15 minutes of the account's own time: a year is 35,000.
INSERT INTO paper_equity_history
    (account_id, round, recorded_at, balance, unrealised_pnl, equity, open_positions, reason)
SELECT :account_id, :round, :recorded_at, :balance, :unrealised_pnl, :equity, :open_positions, 'MARK'
WHERE NOT EXISTS (
    SELECT FROM paper_equity_history
    WHERE account_id = :account_id AND round = :round AND recorded_at > :recorded_at::timestamptz - interval '15 minutes'
);

-- name: begin_earlier
-- The first thing an account is told may lie before the day it was made, as in a replay.
UPDATE paper_equity_history SET recorded_at = :at
WHERE account_id = :account_id AND round = :round AND recorded_at > :at;

-- name: began_at
SELECT recorded_at FROM paper_equity_history
WHERE account_id = :account_id AND round = :round
ORDER BY recorded_at, id
LIMIT 1;

-- name: curve
-- Of more points than wanted: the first, the last, and the lowest and highest of each of equally many. Arrays are
-- compared by their first elements first, so that one pass finds each extreme together with its row.
WITH chosen AS (
    SELECT id, equity, row_number() OVER (ORDER BY recorded_at, id) - 1 AS place
    FROM paper_equity_history
    WHERE account_id = :account_id AND round = :round
      AND recorded_at BETWEEN coalesce(:from_at::timestamptz, '-infinity') AND coalesce(:until_at::timestamptz, 'infinity')
), counted AS (
    SELECT count(*) AS total, CASE WHEN count(*) <= :most::bigint THEN count(*) ELSE :parts::bigint END AS parts
    FROM paper_equity_history
    WHERE account_id = :account_id AND round = :round
      AND recorded_at BETWEEN coalesce(:from_at::timestamptz, '-infinity') AND coalesce(:until_at::timestamptz, 'infinity')
), extremes AS (
    SELECT min(ARRAY[equity, place, id]) AS lowest, max(ARRAY[equity, -place, id]) AS highest
    FROM chosen CROSS JOIN counted
    GROUP BY place * parts / total
), kept AS (
    SELECT lowest[3]::bigint AS id FROM extremes
    UNION SELECT highest[3]::bigint FROM extremes
    UNION SELECT id FROM chosen CROSS JOIN counted WHERE place IN (0, total - 1)
)
SELECT recorded_at, balance, unrealised_pnl, equity, open_positions, reason, (SELECT total FROM counted) AS total
FROM kept JOIN paper_equity_history USING (id)
ORDER BY recorded_at, id;

-- name: delete_all
DELETE FROM paper_equity_history WHERE account_id = :account_id;
