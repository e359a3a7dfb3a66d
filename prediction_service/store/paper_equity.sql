-- name: insert
INSERT INTO paper_equity_history
    (account_id, round, recorded_at, balance, unrealised_pnl, equity, open_positions, reason)
VALUES (:account_id, :round, :recorded_at, :balance, :unrealised_pnl, :equity, :open_positions, :reason);

-- name: insert_mark
-- At most one a minute of the account's own time.
INSERT INTO paper_equity_history
    (account_id, round, recorded_at, balance, unrealised_pnl, equity, open_positions, reason)
SELECT :account_id, :round, :recorded_at, :balance, :unrealised_pnl, :equity, :open_positions, 'MARK'
WHERE NOT EXISTS (
    SELECT FROM paper_equity_history
    WHERE account_id = :account_id AND round = :round AND recorded_at > :recorded_at::timestamptz - interval '1 minute'
);

-- name: begin_earlier
-- The first thing an account is told may lie before the day it was made, as in a replay.
UPDATE paper_equity_history SET recorded_at = :at
WHERE account_id = :account_id AND round = :round AND recorded_at > :at;

-- name: summary
SELECT max((peak - equity) / peak) AS drawdown, max(peak) AS peak, min(recorded_at) AS first_at
FROM (
    SELECT equity, recorded_at, max(equity) OVER (ORDER BY recorded_at, id) AS peak
    FROM paper_equity_history
    WHERE account_id = :account_id AND round = :round
) AS curve;

-- name: curve
-- Of more points than wanted: the first, the last, and the lowest and highest of each of equally many.
WITH chosen AS (
    SELECT
        recorded_at, balance, unrealised_pnl, equity, open_positions, reason,
        row_number() OVER (ORDER BY recorded_at, id) AS place, count(*) OVER () AS total
    FROM paper_equity_history
    WHERE account_id = :account_id AND round = :round
      AND (:from_at::timestamptz IS NULL OR recorded_at >= :from_at)
      AND (:until_at::timestamptz IS NULL OR recorded_at <= :until_at)
), ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY (place - 1) * :parts::bigint / total ORDER BY equity, place) AS from_lowest,
        row_number() OVER (PARTITION BY (place - 1) * :parts::bigint / total ORDER BY equity DESC, place) AS from_highest
    FROM chosen
)
SELECT recorded_at, balance, unrealised_pnl, equity, open_positions, reason, total FROM ranked
WHERE total <= :most OR from_lowest = 1 OR from_highest = 1 OR place IN (1, total)
ORDER BY place;

-- name: delete_all
DELETE FROM paper_equity_history WHERE account_id = :account_id;
