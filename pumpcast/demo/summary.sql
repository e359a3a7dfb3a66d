-- name: latency
-- From the commit of a row to the commit of its prediction, by the server's own book. Where the outcome is known the book
-- tells when that was written.
SELECT
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) * 1000 AS p50_ms,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) * 1000 AS p99_ms
FROM (
    SELECT extract(epoch FROM pg_xact_commit_timestamp(said.xmin) - pg_xact_commit_timestamp(row.xmin)) AS seconds
    FROM predictions AS said
    JOIN coin_metrics AS row ON row.mint = said.coin_id AND row.timestamp = said.data_timestamp
    WHERE row.id > :after_id AND said.evaluated_at IS NULL
) AS pairs;

-- name: books
-- Of each row and model how often it was answered.
SELECT
    count(*) AS owed,
    count(*) FILTER (WHERE answers = 1) AS once,
    count(*) FILTER (WHERE answers > 1) AS more
FROM (
    SELECT keys.mint, keys.timestamp, model.id, count(said.id) AS answers
    FROM (SELECT DISTINCT mint, timestamp FROM coin_metrics WHERE id > :after_id) AS keys
    CROSS JOIN (SELECT id FROM prediction_active_models) AS model
    LEFT JOIN predictions AS said
        ON said.active_model_id = model.id AND said.coin_id = keys.mint AND said.data_timestamp = keys.timestamp
    GROUP BY keys.mint, keys.timestamp, model.id
) AS counted;

-- name: totals
SELECT
    (SELECT count(*) FROM coin_metrics WHERE id > :after_id) AS rows,
    (SELECT count(*) FROM predictions) AS predictions,
    (SELECT count(*) FROM predictions WHERE is_alert) AS alerts,
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered') AS delivered,
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending') AS waiting,
    (
        SELECT coalesce(jsonb_object_agg(reason, total), '{}')
        FROM (
            SELECT reason, sum(number::bigint) AS total
            FROM worker_positions CROSS JOIN LATERAL jsonb_each_text(counters -> 'skipped') AS left_out (reason, number)
            WHERE name LIKE 'live-%'
            GROUP BY reason
        ) AS totals
    ) AS skipped;

-- name: alerts
SELECT coin_id, data_timestamp, active_model_id FROM predictions WHERE is_alert;

-- name: said
SELECT coin_id, data_timestamp, probability FROM predictions WHERE active_model_id = :active_id;

-- name: highest
SELECT coalesce(max(id), 0) FROM coin_metrics;
