-- name: insert
-- Nothing when the endpoint, and its deliveries with it, was deleted meanwhile.
INSERT INTO prediction_webhook_log
    (delivery_id, endpoint_id, attempt, url, status_code, duration_ms, response, error, request_id)
SELECT id, :endpoint_id, :attempt, :url, :status_code, :duration_ms, :response, :error, :request_id
FROM webhook_deliveries WHERE id = :delivery_id;

-- name: list_of
SELECT attempt, url, status_code, duration_ms, response, error, request_id, created_at
FROM prediction_webhook_log WHERE delivery_id = :delivery_id ORDER BY id;

-- name: last_failure
SELECT delivery_id, attempt, status_code, error, created_at FROM prediction_webhook_log
WHERE endpoint_id = :endpoint_id AND (status_code IS NULL OR status_code NOT BETWEEN 200 AND 299)
ORDER BY id DESC LIMIT 1;
