-- name: may_wait
-- Asked every second: whether it is worth looking closer. Accounts are few, as many as packages there ever were.
SELECT EXISTS (
    SELECT FROM model_packages
    WHERE warmup_status IN ('PENDING', 'RUNNING') AND status <> 'ARCHIVED'
) OR EXISTS (SELECT FROM paper_accounts WHERE auto_trade);

-- name: waiting
-- Asked every second.
SELECT id, status, warmup_status FROM model_packages
WHERE warmup_status IN ('PENDING', 'RUNNING') AND status <> 'ARCHIVED'
ORDER BY warmup_cut_off, created_at, id;

-- name: wanting
SELECT id AS package_id, market, warmup_requested_at AS requested_at, warmup_error AS told FROM model_packages
WHERE warmup_status = 'PENDING' AND status = 'READY';

-- name: runs
-- How many of the newest candles follow each other, of many markets.
SELECT run.bars
FROM unnest(:symbols::text[], :intervals::text[], :seconds::integer[], :most::integer[])
    WITH ORDINALITY AS given (symbol, interval, seconds, most, place)
CROSS JOIN LATERAL (
    SELECT count(*) AS bars FROM (
        SELECT
            open_time, max(open_time) OVER () AS last, row_number() OVER (ORDER BY open_time DESC) - 1 AS place
        FROM (
            SELECT candle.open_time FROM candles AS candle
            WHERE candle.symbol = given.symbol AND candle.interval = given.interval
              AND candle.open_time <= :now::timestamptz - make_interval(secs => given.seconds)
            ORDER BY candle.open_time DESC
            LIMIT given.most
        ) AS newest
    ) AS numbered
    WHERE open_time = last - numbered.place * make_interval(secs => given.seconds)
) AS run
ORDER BY given.place;

-- name: first_candle
SELECT min(open_time) FROM candles WHERE symbol = :symbol AND interval = :interval;

-- name: anybody_trades
SELECT EXISTS (SELECT FROM paper_accounts WHERE auto_trade);

-- name: is_taken
-- Somebody holds the lock of `take`.
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32) + objid::bigint = :key
);

-- name: take
-- Held as long as the session lives.
SELECT pg_try_advisory_lock(:key);

-- name: active_ids
SELECT id FROM model_packages WHERE status = 'READY';

-- name: newest_symbols
-- From one symbol to the next along the primary key: DISTINCT would read all candles.
WITH RECURSIVE market AS (
    (SELECT symbol FROM candles ORDER BY symbol LIMIT 1)
    UNION ALL
    SELECT (SELECT next.symbol FROM candles AS next WHERE next.symbol > market.symbol ORDER BY next.symbol LIMIT 1)
    FROM market
    WHERE market.symbol IS NOT NULL
)
SELECT market.symbol
FROM market
CROSS JOIN LATERAL (
    SELECT max(candle.open_time) AS open_time
    FROM candles AS candle
    WHERE candle.symbol = market.symbol AND candle.interval = :interval
) AS newest
WHERE newest.open_time IS NOT NULL
ORDER BY newest.open_time DESC, market.symbol
LIMIT :most;

-- name: followed
-- Accounts that trade by themselves, with the market of their package; before the validation it may be anything.
SELECT
    account.id AS account_id, account.package_id, account.symbol, account.traded_until, account.trouble,
    package.market
FROM paper_accounts AS account
JOIN model_packages AS package ON package.id = account.package_id
WHERE account.auto_trade
ORDER BY account.id;

-- name: newer_candles
-- Which of these markets have a candle that closed after a moment; each is one look into the primary key.
SELECT given.place
FROM unnest(:symbols::text[], :intervals::text[], :seconds::integer[], :moments::timestamptz[])
    WITH ORDINALITY AS given (symbol, interval, seconds, moment, place)
WHERE EXISTS (
    SELECT FROM candles AS candle
    WHERE candle.symbol = given.symbol AND candle.interval = given.interval
      AND candle.open_time > coalesce(given.moment, '-infinity') - make_interval(secs => given.seconds)
      AND candle.open_time <= :now::timestamptz - make_interval(secs => given.seconds)
);
