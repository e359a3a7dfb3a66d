DROP TABLE candle_feeds;
DROP INDEX idx_paper_equity_round;
ALTER TABLE paper_equity_history DROP COLUMN reason, DROP COLUMN round;
CREATE INDEX idx_paper_equity_account ON paper_equity_history (account_id, recorded_at DESC, id DESC);
ALTER TABLE paper_positions DROP COLUMN opened_by, DROP COLUMN round;
ALTER TABLE paper_accounts
    DROP COLUMN auto_trade, DROP COLUMN symbol, DROP COLUMN clock, DROP COLUMN traded_until, DROP COLUMN trouble,
    DROP COLUMN round, DROP COLUMN peak_equity, DROP COLUMN max_drawdown;
DROP TABLE package_seeds;
ALTER TABLE model_packages
    DROP COLUMN market, DROP COLUMN warmup_cut_off, DROP COLUMN forecast_bytes, DROP COLUMN ppo_bytes,
    DROP COLUMN uploaded_by, DROP COLUMN is_builtin, DROP COLUMN validated_at, DROP COLUMN archived_at,
    DROP COLUMN warmup_requested_at, DROP COLUMN warmup_diagnostics;
