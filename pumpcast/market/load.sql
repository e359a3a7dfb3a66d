-- name: present_columns
-- A tracker's table may lack columns we know: they are left out, not an error.
SELECT a.attname FROM pg_attribute a
WHERE a.attrelid = to_regclass(:table_name) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';

-- name: stage_candles
CREATE TEMP TABLE incoming_candles (LIKE candles INCLUDING DEFAULTS) ON COMMIT DROP;

-- name: merge_candles
-- Of a bar that the file has twice the later line counts.
INSERT INTO candles AS present (symbol, interval, open_time, open, high, low, close, volume)
SELECT DISTINCT ON (symbol, interval, open_time) symbol, interval, open_time, open, high, low, close, volume
FROM incoming_candles
ORDER BY symbol, interval, open_time, ctid DESC
ON CONFLICT (symbol, interval, open_time) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume,
    updated_at = now()
WHERE (present.open, present.high, present.low, present.close, present.volume)
    IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume);

-- name: loaded_series
SELECT DISTINCT symbol, interval FROM incoming_candles ORDER BY symbol, interval;
