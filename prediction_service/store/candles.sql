-- name: put
-- Counts what became of each row; one that is there just so is not written again.
WITH given AS (
    SELECT * FROM unnest(
        :symbols::text[], :intervals::text[], :open_times::timestamptz[],
        :opens::float8[], :highs::float8[], :lows::float8[], :closes::float8[], :volumes::float8[]
    ) AS given (symbol, interval, open_time, open, high, low, close, volume)
), written AS (
    INSERT INTO candles AS present (symbol, interval, open_time, open, high, low, close, volume)
    -- In one order everywhere, or two writers of the same rows would wait for each other.
    SELECT symbol, interval, open_time, open, high, low, close, volume FROM given ORDER BY symbol, interval, open_time
    ON CONFLICT (symbol, interval, open_time) DO UPDATE SET
        open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        volume = excluded.volume, updated_at = clock_timestamp()
    WHERE (present.open, present.high, present.low, present.close, present.volume)
        IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
    RETURNING xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new) AS inserted, count(*) FILTER (WHERE NOT is_new) AS updated FROM written;

-- name: announce
SELECT pg_notify('packages_changed', '');

-- name: newest
-- As arrays: thousands of records would cost more than the query.
SELECT
    array_agg((extract(epoch FROM open_time) * 1000000)::bigint) AS open_time, array_agg(open) AS open,
    array_agg(high) AS high, array_agg(low) AS low, array_agg(close) AS close, array_agg(volume) AS volume
FROM (
    SELECT open_time, open, high, low, close, volume FROM candles
    WHERE symbol = :symbol AND interval = :interval AND open_time <= :until
    ORDER BY open_time DESC
    LIMIT :most
) AS newest;

-- name: closes_at
-- At each moment the close of the newest candle, which must have closed within an interval of the first moment, or later.
SELECT (
    SELECT candle.close FROM candles AS candle
    WHERE candle.symbol = :symbol AND candle.interval = :interval
      AND candle.open_time <= given.moment - make_interval(secs => :seconds)
      AND candle.open_time > :first::timestamptz - make_interval(secs => 2 * :seconds)
    ORDER BY candle.open_time DESC
    LIMIT 1
) AS close
FROM unnest(:moments::timestamptz[]) WITH ORDINALITY AS given (moment, place)
ORDER BY given.place;

-- name: count_run
-- How many of the newest candles follow each other without a gap.
SELECT count(*) FROM (
    SELECT
        open_time, max(open_time) OVER () AS last, row_number() OVER (ORDER BY open_time DESC) - 1 AS place
    FROM (
        SELECT open_time FROM candles
        WHERE symbol = :symbol AND interval = :interval AND open_time <= :until
        ORDER BY open_time DESC
        LIMIT :most
    ) AS newest
) AS numbered
WHERE open_time = last - place * make_interval(secs => :seconds);

-- name: list_page
SELECT symbol, interval, open_time, open, high, low, close, volume FROM candles
WHERE symbol = :symbol AND interval = :interval AND open_time BETWEEN :since AND :until AND open_time < :before
ORDER BY open_time DESC
LIMIT :most;

-- name: coverage
SELECT
    count(*) AS candles, min(open_time) AS first, max(open_time) AS last,
    count(*) FILTER (WHERE gap > step) AS total_gaps,
    coalesce(sum(extract(epoch FROM gap - step) / extract(epoch FROM step)) FILTER (WHERE gap > step), 0)::bigint AS missing
FROM (
    SELECT
        open_time, open_time - lag(open_time) OVER (ORDER BY open_time) AS gap, make_interval(secs => :seconds) AS step
    FROM candles
    WHERE symbol = :symbol AND interval = :interval
) AS present;

-- name: gaps
SELECT before + step AS since, open_time AS until,
    (extract(epoch FROM open_time - before - step) / extract(epoch FROM step))::bigint AS missing
FROM (
    SELECT open_time, lag(open_time) OVER (ORDER BY open_time) AS before, make_interval(secs => :seconds) AS step
    FROM candles
    WHERE symbol = :symbol AND interval = :interval AND open_time >= :since
) AS present
WHERE open_time > before + step
ORDER BY open_time DESC
LIMIT :most;

-- name: series
-- Jumps from one symbol to the next in the index, since the table has thousands of rows of each.
WITH RECURSIVE symbols AS (
    (SELECT symbol FROM candles WHERE symbol > :after ORDER BY symbol LIMIT 1)
    UNION ALL
    SELECT (SELECT next.symbol FROM candles AS next WHERE next.symbol > symbols.symbol ORDER BY next.symbol LIMIT 1)
    FROM symbols
    WHERE symbols.symbol IS NOT NULL
), taken AS MATERIALIZED (
    SELECT symbol FROM symbols WHERE symbol IS NOT NULL LIMIT :most
), series AS (
    SELECT
        symbol,
        (SELECT c.interval FROM candles AS c WHERE c.symbol = taken.symbol ORDER BY c.interval LIMIT 1) AS interval
    FROM taken
    UNION ALL
    SELECT
        symbol, (
            SELECT c.interval FROM candles AS c
            WHERE c.symbol = series.symbol AND c.interval > series.interval ORDER BY c.interval LIMIT 1
        )
    FROM series
    WHERE interval IS NOT NULL
)
SELECT
    symbol, interval,
    (SELECT min(c.open_time) FROM candles AS c WHERE c.symbol = series.symbol AND c.interval = series.interval) AS first,
    (SELECT max(c.open_time) FROM candles AS c WHERE c.symbol = series.symbol AND c.interval = series.interval) AS last
FROM series
WHERE interval IS NOT NULL
ORDER BY symbol, interval;
