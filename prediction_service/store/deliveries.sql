-- name: insert
-- A message has the same id when its work is done again, and is then there already.
INSERT INTO webhook_deliveries
    (
        endpoint_id, webhook_id, event_type, coin_id, data_timestamp, active_model_ids, body, expires_at, request_id,
        traceparent
    )
SELECT endpoint_id, webhook_id, event_type, coin_id, data_timestamp, active_model_ids::bigint[], body,
       clock_timestamp() + make_interval(secs => expires_after), request_id, traceparent
FROM unnest(
    :endpoint_ids::bigint[], :webhook_ids::text[], :event_types::text[], :coin_ids::text[],
    :data_timestamps::timestamptz[], :active_model_ids::text[], :bodies::bytea[], :expires_after::double precision[],
    :request_ids::text[], :traceparents::text[]
) AS new (
    endpoint_id, webhook_id, event_type, coin_id, data_timestamp, active_model_ids, body, expires_after, request_id,
    traceparent
)
ON CONFLICT (webhook_id) DO NOTHING
RETURNING id;

-- name: claim
-- The time of the next attempt is the lease: a sender that dies with the message leaves it to the next one. Whoever claims
-- holds the endpoint's row, so that all senders together keep to its number of requests at a time.
UPDATE webhook_deliveries
SET attempts = attempts + 1, is_sending = true,
    next_attempt_at = clock_timestamp() + make_interval(secs => :lease_seconds)
WHERE id IN (
    SELECT id FROM webhook_deliveries
    WHERE endpoint_id = :endpoint_id
      AND status = 'pending'
      AND next_attempt_at <= clock_timestamp()
      AND expires_at > clock_timestamp()
    ORDER BY next_attempt_at, id
    LIMIT greatest(0, :at_once::bigint - (
        SELECT count(*) FROM webhook_deliveries
        WHERE endpoint_id = :endpoint_id AND is_sending AND next_attempt_at > clock_timestamp()
    ))
    FOR UPDATE SKIP LOCKED
)
RETURNING
    id, endpoint_id, webhook_id, body, attempts, attempts - attempts_before AS tries, event_type, active_model_ids,
    request_id, traceparent;

-- name: finish
-- A sender that was frozen past its lease finds another number of attempts and changes nothing; if the message expired
-- meanwhile, that it was taken counts.
UPDATE webhook_deliveries
SET status = :status, is_sending = false, last_status_code = :status_code, last_error = :error,
    next_attempt_at = CASE
        WHEN :status = 'pending' THEN clock_timestamp() + make_interval(secs => :retry_seconds) ELSE next_attempt_at END,
    delivered_at = CASE WHEN :status = 'delivered' THEN clock_timestamp() END
WHERE id = :id AND attempts = :attempt AND (status = 'pending' OR (status = 'expired' AND :status = 'delivered'));

-- name: expire
-- What is under way may still be taken.
UPDATE webhook_deliveries SET status = 'expired', is_sending = false
WHERE id IN (
    SELECT id FROM webhook_deliveries
    WHERE status = 'pending' AND expires_at <= clock_timestamp()
      AND NOT (is_sending AND next_attempt_at > clock_timestamp())
    ORDER BY expires_at
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
);

-- name: page
SELECT /*columns*/ FROM webhook_deliveries WHERE true /*where*/ ORDER BY created_at DESC, id DESC LIMIT :most;

-- name: page_of_types
-- Each type along its index: one that nobody is sent is not looked for among all others.
SELECT found.*
FROM unnest(:types::text[]) AS wanted (event_type) CROSS JOIN LATERAL (
    SELECT /*columns*/ FROM webhook_deliveries
    WHERE webhook_deliveries.event_type = wanted.event_type /*where*/
    ORDER BY created_at DESC, id DESC LIMIT :most
) AS found
ORDER BY created_at DESC, id DESC
LIMIT :most;

-- name: page_of_model
-- Messages hold few different sets of models: one step along the index finds the next set, and of each that holds the model
-- the newest are read. What waits is no index's: it was most likely written a moment ago.
WITH RECURSIVE sets (ids) AS (
    (SELECT active_model_ids FROM webhook_deliveries WHERE status <> 'pending' ORDER BY active_model_ids LIMIT 1)
    UNION ALL
    SELECT (
        SELECT active_model_ids FROM webhook_deliveries
        WHERE status <> 'pending' AND active_model_ids > sets.ids ORDER BY active_model_ids LIMIT 1
    )
    FROM sets WHERE sets.ids IS NOT NULL
)
SELECT *
FROM (
    (
        SELECT found.*
        FROM sets CROSS JOIN LATERAL (
            SELECT /*columns*/ FROM webhook_deliveries
            WHERE active_model_ids = sets.ids AND status <> 'pending' /*where*/
            ORDER BY created_at DESC, id DESC LIMIT :most
        ) AS found
        WHERE :active_model_id = ANY(sets.ids)
    )
    UNION ALL
    (
        SELECT /*columns*/ FROM webhook_deliveries
        WHERE status = 'pending' AND :active_model_id = ANY(active_model_ids) /*where*/
        ORDER BY created_at DESC, id DESC LIMIT :most
    )
) AS both_kinds
ORDER BY created_at DESC, id DESC
LIMIT :most;

-- name: get
SELECT /*columns*/, body FROM webhook_deliveries WHERE id = :id;

-- name: lock
SELECT status FROM webhook_deliveries WHERE id = :id FOR UPDATE;

-- name: resend
-- As long as at first, or as its endpoint says now; pauses between attempts start small again.
UPDATE webhook_deliveries AS delivery
SET status = 'pending', delivered_at = NULL, is_sending = false, resent_at = clock_timestamp(),
    attempts_before = attempts, next_attempt_at = clock_timestamp(), request_id = :request_id,
    traceparent = :traceparent,
    expires_at = clock_timestamp() + coalesce(
        make_interval(secs => endpoint.expires_after_seconds),
        delivery.expires_at - coalesce(delivery.resent_at, delivery.created_at)
    )
FROM webhook_endpoints AS endpoint
WHERE delivery.id = :id AND endpoint.id = delivery.endpoint_id;

-- name: recover
-- Oldest first and spread out, after what an earlier call recovered: a receiver that was away gets its new messages in
-- between.
WITH lost AS (
    SELECT id, created_at FROM webhook_deliveries
    WHERE endpoint_id = :endpoint_id AND status IN ('failed', 'expired') AND created_at >= :since
      AND event_type <> 'webhook.test'
    ORDER BY created_at, id
    LIMIT :most
    FOR UPDATE
), start AS (
    SELECT greatest(clock_timestamp(), max(resent_at)) AS at
    FROM webhook_deliveries WHERE endpoint_id = :endpoint_id AND status = 'pending'
), due AS (
    SELECT id, start.at + row_number() OVER (ORDER BY created_at, id) / :per_second::float8 * interval '1 s' AS at
    FROM lost, start
)
UPDATE webhook_deliveries AS delivery
SET status = 'pending', delivered_at = NULL, is_sending = false, resent_at = due.at, attempts_before = attempts,
    next_attempt_at = due.at, request_id = :request_id, traceparent = :traceparent,
    expires_at = due.at + coalesce(
        make_interval(secs => endpoint.expires_after_seconds),
        delivery.expires_at - coalesce(delivery.resent_at, delivery.created_at)
    )
FROM due, webhook_endpoints AS endpoint
WHERE delivery.id = due.id AND endpoint.id = delivery.endpoint_id;

-- name: any_lost
SELECT EXISTS (
    SELECT FROM webhook_deliveries
    WHERE endpoint_id = :endpoint_id AND status IN ('failed', 'expired') AND created_at >= :since
      AND event_type <> 'webhook.test'
);

-- name: counts
SELECT
    count(*) FILTER (WHERE status = 'delivered') AS delivered,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'expired') AS expired,
    (SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = :endpoint_id AND status = 'pending') AS pending
FROM webhook_deliveries
WHERE endpoint_id = :endpoint_id AND status IN ('delivered', 'failed', 'expired')
  AND created_at > clock_timestamp() - interval '24 hours';

-- name: count_pending
SELECT count(*) FROM webhook_deliveries WHERE status = 'pending';

-- name: oldest_pending
-- One that is sent again is as old as its first time, and has not waited so long.
SELECT created_at FROM webhook_deliveries WHERE status = 'pending' AND resent_at IS NULL ORDER BY created_at LIMIT 1;

-- name: endings
SELECT status, sum(ended)::bigint AS ended, sum(ended - reopened)::bigint AS final FROM webhook_endings GROUP BY status;
