-- name: insert
INSERT INTO paper_positions (
    account_id, round, symbol, side, size_usdt, margin, leverage, entry_price, current_price, take_profit_pct,
    stop_loss_pct, confidence, fees, opened_at, expires_at, opened_by
) VALUES (
    :account_id, :round, :symbol, :side, :size_usdt, :margin, :leverage, :entry_price, :entry_price, :take_profit_pct,
    :stop_loss_pct, :confidence, :fees, :opened_at, :expires_at, :opened_by
)
RETURNING *;

-- name: mark
UPDATE paper_positions AS position
SET current_price = told.price, unrealised_pnl = told.pnl
FROM unnest(:ids::bigint[], :prices::float8[], :pnls::float8[]) AS told (id, price, pnl)
WHERE position.id = told.id AND position.status = 'OPEN';

-- name: close
UPDATE paper_positions
SET status = 'CLOSED', current_price = :price, exit_price = :price, unrealised_pnl = 0, pnl = :pnl, fees = :fees,
    close_reason = :reason, closed_at = :closed_at
WHERE id = :id AND status = 'OPEN'
RETURNING *;

-- name: get
SELECT * FROM paper_positions WHERE id = :id;

-- name: list_open
SELECT * FROM paper_positions WHERE account_id = :account_id AND status = 'OPEN' ORDER BY id;

-- name: count_open
SELECT count(*) FROM paper_positions WHERE account_id = :account_id AND status = 'OPEN';

-- name: accounts_in
SELECT DISTINCT account_id FROM paper_positions WHERE symbol = :symbol AND status = 'OPEN' ORDER BY account_id;

-- name: page_of_status
SELECT * FROM paper_positions
WHERE account_id = :account_id AND status = :status AND (:before_id::bigint IS NULL OR id < :before_id)
ORDER BY id DESC
LIMIT :most;

-- name: page
-- Both states along the index, merged.
(
    SELECT * FROM paper_positions
    WHERE account_id = :account_id AND status = 'OPEN' AND (:before_id::bigint IS NULL OR id < :before_id)
    ORDER BY id DESC LIMIT :most
) UNION ALL (
    SELECT * FROM paper_positions
    WHERE account_id = :account_id AND status = 'CLOSED' AND (:before_id::bigint IS NULL OR id < :before_id)
    ORDER BY id DESC LIMIT :most
)
ORDER BY id DESC
LIMIT :most;

-- name: tallies
-- Closed positions by kind. Equal numbers have no spread, whatever rounding makes of it.
SELECT
    CASE WHEN grouping(side) = 0 THEN side END AS side,
    CASE WHEN grouping(close_reason) = 0 THEN close_reason END AS close_reason,
    count(*) AS trades, count(*) FILTER (WHERE pnl > 0) AS wins, coalesce(sum(pnl), 0) AS pnl,
    coalesce(sum(pnl) FILTER (WHERE pnl > 0), 0) AS won, coalesce(-sum(pnl) FILTER (WHERE pnl <= 0), 0) AS lost,
    coalesce(sum(fees), 0) AS fees,
    CASE WHEN min(pnl) < max(pnl) THEN stddev_samp(pnl) ELSE 0 END AS spread
FROM paper_positions
WHERE account_id = :account_id AND status = 'CLOSED' AND round = :round
GROUP BY GROUPING SETS ((), (side), (close_reason))
ORDER BY min(id);

-- name: exposed
-- How long any position was open, counted once where they overlap; open ones are so until now.
SELECT coalesce(sum(extract(epoch FROM upper(span) - lower(span))), 0)::float8 FROM (
    SELECT unnest(range_agg(tstzrange(opened_at, greatest(coalesce(closed_at, :now), opened_at)))) AS span
    FROM paper_positions
    WHERE account_id = :account_id AND status IN ('OPEN', 'CLOSED') AND round = :round
) AS spans;

-- name: delete_closed
DELETE FROM paper_positions WHERE account_id = :account_id AND status = 'CLOSED';
