-- name: bars
-- What a coin's rows of each interval sum up to. A row tells of the time that ends at its timestamp, so that one right at
-- the end of an interval is its last. Rows without a price do not count. As arrays: thousands of records cost more than
-- the query.
WITH present AS (
    SELECT DISTINCT ON (timestamp) timestamp, /*columns*/
    FROM coin_metrics
    WHERE mint = :mint AND timestamp > :start AND timestamp <= :until
    ORDER BY timestamp, id DESC
), priced AS (
    SELECT
        timestamp, date_bin(make_interval(secs => :seconds), timestamp - interval '1 microsecond', :start) AS bar,
        price_close AS close,
        CASE WHEN price_open > 0 AND price_open < 'Infinity' THEN price_open ELSE price_close END AS open,
        CASE WHEN price_high > 0 AND price_high < 'Infinity' THEN price_high ELSE price_close END AS high,
        CASE WHEN price_low > 0 AND price_low < 'Infinity' THEN price_low ELSE price_close END AS low,
        CASE WHEN volume_sol > 0 AND volume_sol < 'Infinity' THEN volume_sol ELSE 0 END AS volume
    FROM present
    WHERE price_close > 0 AND price_close < 'Infinity'
), bars AS (
    SELECT
        bar, (array_agg(open ORDER BY timestamp))[1] AS open, max(greatest(open, high, low, close)) AS high,
        min(least(open, high, low, close)) AS low, (array_agg(close ORDER BY timestamp DESC))[1] AS close,
        sum(volume) AS volume
    FROM priced
    GROUP BY bar
)
SELECT
    array_agg((extract(epoch FROM bar) * 1000000)::bigint ORDER BY bar) AS open_time, array_agg(open ORDER BY bar) AS open,
    array_agg(high ORDER BY bar) AS high, array_agg(low ORDER BY bar) AS low, array_agg(close ORDER BY bar) AS close,
    array_agg(volume ORDER BY bar) AS volume
FROM bars;

-- name: price_before
SELECT price_close FROM (
    SELECT timestamp, id, /*columns*/ FROM coin_metrics WHERE mint = :mint AND timestamp <= :start
) AS earlier
WHERE price_close > 0 AND price_close < 'Infinity'
ORDER BY timestamp DESC, id DESC
LIMIT 1;

-- name: first_price
-- Times outside all calendars, infinity too, are brought inside.
SELECT greatest(timestamp, '0001-02-01Z') FROM (
    SELECT timestamp, /*columns*/ FROM coin_metrics WHERE mint = :mint AND timestamp <= :until
) AS recorded
WHERE price_close > 0 AND price_close < 'Infinity'
ORDER BY recorded.timestamp
LIMIT 1;
