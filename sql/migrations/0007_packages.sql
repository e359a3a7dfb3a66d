-- Packages are validated before anything loads them; accounts may trade by themselves, on the time of the candles.

-- depends: 0006_live

ALTER TABLE model_packages
    ADD COLUMN forecast_bytes bigint,
    ADD COLUMN ppo_bytes bigint,
    ADD COLUMN uploaded_by text NOT NULL DEFAULT 'local',
    ADD COLUMN is_builtin boolean NOT NULL DEFAULT false,
    ADD COLUMN validated_at timestamptz,
    ADD COLUMN archived_at timestamptz,
    ADD COLUMN warmup_requested_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN warmup_diagnostics jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN warmup_cut_off integer NOT NULL DEFAULT 0;

-- Nothing was validated so far.
UPDATE model_packages SET
    status = CASE status WHEN 'ARCHIVED' THEN 'ARCHIVED' ELSE 'UPLOADED' END,
    archived_at = CASE status WHEN 'ARCHIVED' THEN updated_at END,
    warmup_status = 'PENDING', warmup_error = NULL, warmup_completed_at = NULL;

ALTER TABLE model_packages
    -- What is asked of all packages must not read their manifests, which are large.
    ADD COLUMN market jsonb NOT NULL GENERATED ALWAYS AS (
        CASE WHEN validated_at IS NULL THEN '{}' ELSE coalesce(manifest -> 'market', '{}') END
    ) STORED,
    ADD CONSTRAINT chk_warmup_cut_off CHECK (warmup_cut_off >= 0),
    ADD CONSTRAINT chk_package_bytes CHECK (forecast_bytes >= 0 AND ppo_bytes >= 0),
    ADD CONSTRAINT chk_package_ready CHECK (status <> 'READY' OR validated_at IS NOT NULL),
    ADD CONSTRAINT chk_package_archived CHECK ((status = 'ARCHIVED') = (archived_at IS NOT NULL)),
    ADD CONSTRAINT chk_package_warm CHECK (warmup_status <> 'DONE' OR validated_at IS NOT NULL),
    ADD CONSTRAINT chk_warmup_diagnostics CHECK (jsonb_typeof(warmup_diagnostics) = 'object');

CREATE TABLE package_seeds (
    id        text PRIMARY KEY,
    seeded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT chk_seed_id CHECK (id ~ '^[a-z0-9_]{1,128}$')
);

ALTER TABLE paper_accounts
    ADD COLUMN auto_trade boolean NOT NULL DEFAULT false,
    ADD COLUMN symbol text,
    ADD COLUMN clock timestamptz,
    ADD COLUMN traded_until timestamptz,
    ADD COLUMN trouble text,
    ADD COLUMN round integer NOT NULL DEFAULT 0,
    ADD COLUMN peak_equity double precision NOT NULL DEFAULT 10000,
    ADD COLUMN max_drawdown double precision NOT NULL DEFAULT 0,
    ADD CONSTRAINT chk_account_round CHECK (round >= 0),
    ADD CONSTRAINT chk_account_symbol CHECK (symbol <> ''),
    ADD CONSTRAINT chk_account_auto_trade CHECK (NOT auto_trade OR symbol IS NOT NULL),
    ADD CONSTRAINT chk_account_peak_equity CHECK (peak_equity > 0 AND peak_equity < 'Infinity'),
    ADD CONSTRAINT chk_account_max_drawdown CHECK (max_drawdown >= 0 AND max_drawdown < 'Infinity');

UPDATE paper_accounts SET peak_equity = initial_balance;

ALTER TABLE paper_positions
    ADD COLUMN opened_by text NOT NULL DEFAULT 'manual',
    ADD COLUMN round integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT chk_position_round CHECK (round >= 0),
    ADD CONSTRAINT chk_position_opened_by CHECK (opened_by IN ('manual', 'signal', 'auto'));

ALTER TABLE paper_equity_history
    ADD COLUMN reason text NOT NULL DEFAULT 'MARK',
    ADD COLUMN round integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT chk_equity_round CHECK (round >= 0),
    ADD CONSTRAINT chk_equity_reason CHECK (reason IN ('CREATE', 'OPEN', 'CLOSE', 'MARK', 'RESET'));

DROP INDEX idx_paper_equity_account;
CREATE INDEX idx_paper_equity_round ON paper_equity_history (account_id, round, recorded_at DESC, id DESC);

CREATE TABLE candle_feeds (
    feed        text PRIMARY KEY,
    symbol      text NOT NULL,
    interval    text NOT NULL,
    last_candle timestamptz,
    error       text,
    error_since timestamptz,
    note        text,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT chk_feed CHECK (feed <> ''),
    CONSTRAINT chk_feed_symbol CHECK (symbol <> ''),
    CONSTRAINT chk_feed_interval CHECK (interval ~ '^[1-9][0-9]{0,3}[smhd]$'),
    CONSTRAINT chk_feed_error CHECK ((error IS NULL) = (error_since IS NULL))
);
