-- name: begin
WITH wanted AS (
    SELECT * FROM unnest(:feeds::text[], :symbols::text[], :intervals::text[]) AS wanted (feed, symbol, interval)
), gone AS (
    DELETE FROM candle_feeds WHERE feed NOT IN (SELECT feed FROM wanted)
)
INSERT INTO candle_feeds (feed, symbol, interval)
SELECT feed, symbol, interval FROM wanted
ON CONFLICT (feed) DO NOTHING;

-- name: note_success
UPDATE candle_feeds
SET last_candle = coalesce(:last_candle, last_candle), error = NULL, error_since = NULL, note = :note,
    updated_at = clock_timestamp()
WHERE feed = :feed;

-- name: note_failure
UPDATE candle_feeds
SET error = :error, error_since = coalesce(error_since, clock_timestamp()), updated_at = clock_timestamp()
WHERE feed = :feed;

-- name: list_all
SELECT feed, symbol, interval, last_candle, error, error_since, note, updated_at FROM candle_feeds ORDER BY feed;
