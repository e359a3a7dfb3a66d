-- name: insert
INSERT INTO webhook_endpoints
    (url, headers, secret, active_model_ids, send_modes, enabled, expires_after_seconds, max_concurrency)
VALUES (:url, :headers, :secret, :active_model_ids, :send_modes, :enabled, :expires_after_seconds, :max_concurrency)
RETURNING *;

-- name: put_builtin
-- Another address starts afresh, unless it was disabled by hand; the same one keeps what its receiver brought upon it.
INSERT INTO webhook_endpoints (url, secret, is_builtin) VALUES (:url, :secret, true)
ON CONFLICT (is_builtin) WHERE is_builtin DO UPDATE
SET url = excluded.url, updated_at = clock_timestamp(),
    enabled = webhook_endpoints.enabled OR webhook_endpoints.disabled_reason IS NOT NULL,
    disabled_reason = NULL, failing_since = NULL
WHERE webhook_endpoints.url <> excluded.url OR webhook_endpoints.disabled_reason = :unset;

-- name: retire_builtin
UPDATE webhook_endpoints SET enabled = false, disabled_reason = :unset, updated_at = clock_timestamp()
WHERE is_builtin AND disabled_reason IS DISTINCT FROM :unset AND (enabled OR disabled_reason IS NOT NULL);

-- name: count
SELECT count(*) FROM webhook_endpoints;

-- name: lock
-- Not against those who only refer to the row: the live worker writes messages meanwhile.
SELECT * FROM webhook_endpoints WHERE id = :id FOR NO KEY UPDATE;

-- name: lock_to_send
-- Another sender that claims at this moment needs no help.
SELECT * FROM webhook_endpoints WHERE id = :id AND enabled FOR NO KEY UPDATE SKIP LOCKED;

-- name: update
UPDATE webhook_endpoints
SET url = :url, headers = :headers, active_model_ids = :active_model_ids, send_modes = :send_modes, enabled = :enabled,
    expires_after_seconds = :expires_after_seconds, max_concurrency = :max_concurrency,
    disabled_reason = :disabled_reason, failing_since = :failing_since, updated_at = clock_timestamp()
WHERE id = :id
RETURNING *;

-- name: rotate
UPDATE webhook_endpoints
SET previous_secret = secret, previous_secret_expires_at = clock_timestamp() + make_interval(hours => :hours),
    secret = :secret, updated_at = clock_timestamp()
WHERE id = :id
RETURNING *;

-- name: get
SELECT * FROM webhook_endpoints WHERE id = :id;

-- name: list_all
SELECT * FROM webhook_endpoints ORDER BY id;

-- name: list_enabled
SELECT * FROM webhook_endpoints WHERE enabled ORDER BY id;

-- name: list_due
SELECT endpoint.*
FROM webhook_endpoints AS endpoint
WHERE endpoint.enabled AND EXISTS (
    SELECT FROM webhook_deliveries AS delivery
    WHERE delivery.endpoint_id = endpoint.id
      AND delivery.status = 'pending'
      AND delivery.next_attempt_at <= clock_timestamp()
      AND delivery.expires_at > clock_timestamp()
)
ORDER BY endpoint.id;

-- name: delete
DELETE FROM webhook_endpoints WHERE id = :id;

-- name: note_success
-- Not at every success: one row written a hundred times a second would be a hundred dead rows a second.
UPDATE webhook_endpoints SET failing_since = NULL, last_success_at = clock_timestamp()
WHERE id = :id
  AND (failing_since IS NOT NULL OR last_success_at IS NULL OR last_success_at < clock_timestamp() - interval '10 s');

-- name: note_failure
UPDATE webhook_endpoints SET failing_since = clock_timestamp() WHERE id = :id AND failing_since IS NULL;

-- name: disable_hopeless
UPDATE webhook_endpoints SET enabled = false, disabled_reason = :reason, updated_at = clock_timestamp()
WHERE id = :id AND enabled AND failing_since < clock_timestamp() - make_interval(days => :days);

-- name: disable
UPDATE webhook_endpoints SET enabled = false, disabled_reason = :reason, updated_at = clock_timestamp()
WHERE id = :id AND enabled;

-- name: count_states
SELECT
    count(*) FILTER (WHERE enabled AND failing_since IS NULL) AS ok,
    count(*) FILTER (WHERE enabled AND failing_since IS NOT NULL) AS failing,
    count(*) FILTER (WHERE NOT enabled) AS disabled
FROM webhook_endpoints;
