DROP TABLE candle_feeds;
ALTER TABLE paper_equity_history DROP COLUMN reason, DROP COLUMN round;
ALTER TABLE paper_positions DROP COLUMN opened_by, DROP COLUMN round;
ALTER TABLE paper_accounts
    DROP COLUMN auto_trade, DROP COLUMN symbol, DROP COLUMN clock, DROP COLUMN traded_until, DROP COLUMN trouble,
    DROP COLUMN round;
DROP TABLE package_seeds;
ALTER TABLE model_packages
    DROP COLUMN forecast_bytes, DROP COLUMN ppo_bytes, DROP COLUMN uploaded_by, DROP COLUMN is_builtin,
    DROP COLUMN validated_at, DROP COLUMN archived_at, DROP COLUMN warmup_requested_at, DROP COLUMN warmup_diagnostics;
