-- name: insert
INSERT INTO webhook_deliveries (endpoint_id, webhook_id, event_type, coin_id, data_timestamp, body, expires_at)
SELECT endpoint_id, webhook_id, event_type, coin_id, data_timestamp, body,
       clock_timestamp() + make_interval(secs => expires_after)
FROM unnest(
    :endpoint_ids::bigint[], :webhook_ids::text[], :event_types::text[], :coin_ids::text[],
    :data_timestamps::timestamptz[], :bodies::bytea[], :expires_after::double precision[]
) AS new (endpoint_id, webhook_id, event_type, coin_id, data_timestamp, body, expires_after);

-- name: claim
-- The time of the next attempt is the lease: a sender that dies with the message leaves it to the next one.
UPDATE webhook_deliveries
SET attempts = attempts + 1, next_attempt_at = clock_timestamp() + make_interval(secs => :lease_seconds)
WHERE id IN (
    SELECT id FROM webhook_deliveries
    WHERE endpoint_id = :endpoint_id
      AND status = 'pending'
      AND next_attempt_at <= clock_timestamp()
      AND expires_at > clock_timestamp()
    ORDER BY next_attempt_at, id
    LIMIT :most
    FOR UPDATE SKIP LOCKED
)
RETURNING id, endpoint_id, webhook_id, body, attempts;

-- name: finish
-- A sender that was frozen past its lease finds another number of attempts and changes nothing. A message may have
-- expired while it was under way: that it was taken counts.
UPDATE webhook_deliveries
SET status = :status, last_status_code = :status_code, last_error = :error,
    next_attempt_at = CASE
        WHEN :status = 'pending' THEN clock_timestamp() + make_interval(secs => :retry_seconds) ELSE next_attempt_at END,
    delivered_at = CASE WHEN :status = 'delivered' THEN clock_timestamp() END
WHERE id = :id AND attempts = :attempt AND (status = 'pending' OR (status = 'expired' AND :status = 'delivered'));

-- name: log
-- Nothing when the endpoint, and its deliveries with it, was deleted meanwhile.
INSERT INTO prediction_webhook_log
    (delivery_id, endpoint_id, attempt, url, status_code, duration_ms, response, error)
SELECT id, :endpoint_id, :attempt, :url, :status_code, :duration_ms, :response, :error
FROM webhook_deliveries WHERE id = :delivery_id;

-- name: expire
UPDATE webhook_deliveries SET status = 'expired'
WHERE id IN (
    SELECT id FROM webhook_deliveries
    WHERE status = 'pending' AND expires_at <= clock_timestamp()
    ORDER BY expires_at
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
);

-- name: page
SELECT /*columns*/ FROM webhook_deliveries WHERE true /*where*/ ORDER BY id DESC LIMIT :most;

-- name: count_pending
SELECT count(*) FROM webhook_deliveries WHERE status = 'pending';

-- name: totals
SELECT status, count(*) AS total FROM webhook_deliveries GROUP BY status;
