-- name: insert
-- Nothing when it is there already.
INSERT INTO paper_accounts (
    id, package_id, initial_balance, balance, peak_equity, auto_trade, symbol, leverage, size_pct, min_size_usdt, max_positions,
    max_exposure_pct, take_profit_pct, stop_loss_pct, max_hours, fee_pct, min_confidence
) VALUES (
    'paper_' || :package_id, :package_id, :initial_balance, :initial_balance, :initial_balance, :auto_trade, :symbol, :leverage,
    :size_pct, :min_size_usdt, :max_positions, :max_exposure_pct, :take_profit_pct, :stop_loss_pct, :max_hours,
    :fee_pct, :min_confidence
)
ON CONFLICT DO NOTHING
RETURNING *;

-- name: get
SELECT * FROM paper_accounts WHERE id = :id;

-- name: lock
-- Not against those who only refer to the row.
SELECT * FROM paper_accounts WHERE id = :id FOR NO KEY UPDATE;

-- name: change
UPDATE paper_accounts
SET auto_trade = :auto_trade, symbol = :symbol, leverage = :leverage, size_pct = :size_pct,
    min_size_usdt = :min_size_usdt, max_positions = :max_positions, max_exposure_pct = :max_exposure_pct,
    take_profit_pct = :take_profit_pct, stop_loss_pct = :stop_loss_pct, max_hours = :max_hours, fee_pct = :fee_pct,
    min_confidence = :min_confidence, trouble = NULL,
    traded_until = CASE WHEN symbol IS NOT DISTINCT FROM :symbol THEN traded_until END, updated_at = clock_timestamp()
WHERE id = :id
RETURNING *;

-- name: settle
-- What it is worth may be less than nothing, its peak never.
UPDATE paper_accounts
SET balance = :balance, clock = :clock, peak_equity = greatest(peak_equity, :equity),
    max_drawdown = greatest(max_drawdown, 1 - :equity::float8 / greatest(peak_equity, :equity)),
    updated_at = clock_timestamp()
WHERE id = :id
RETURNING *;

-- name: reset
-- Its clock may start anew, even in the past, and so may what it does by itself.
UPDATE paper_accounts
SET balance = initial_balance, peak_equity = initial_balance, max_drawdown = 0, round = round + 1, clock = NULL,
    traded_until = NULL, trouble = NULL, reset_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = :id
RETURNING *;

-- name: stop_trading
UPDATE paper_accounts SET auto_trade = false, trouble = NULL WHERE id = :id AND auto_trade;

-- name: set_traded_until
UPDATE paper_accounts SET traded_until = :traded_until, trouble = NULL WHERE id = :id;

-- name: set_trouble
-- The same words again change nothing.
UPDATE paper_accounts SET trouble = :trouble WHERE id = :id AND trouble IS DISTINCT FROM :trouble;
