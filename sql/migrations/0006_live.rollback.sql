DROP INDEX idx_webhook_log_failures;
CREATE INDEX idx_webhook_log_endpoint ON prediction_webhook_log (endpoint_id, id DESC);
DROP TRIGGER count_endings ON webhook_deliveries;
DROP FUNCTION pumpcast_count_endings();
DROP TABLE webhook_endings;
ALTER TABLE webhook_deliveries
    DROP COLUMN active_model_ids, DROP COLUMN is_sending, DROP COLUMN resent_at, DROP COLUMN attempts_before;
DROP INDEX idx_deliveries_ended, idx_deliveries_coin, idx_deliveries_type, idx_deliveries_endpoint, idx_deliveries_status;
CREATE INDEX idx_deliveries_endpoint ON webhook_deliveries (endpoint_id, id DESC);
CREATE INDEX idx_deliveries_status ON webhook_deliveries (status, id DESC);
ALTER TABLE webhook_endpoints DROP COLUMN max_concurrency;

DROP TRIGGER append_only ON model_promotions;
DROP FUNCTION pumpcast_append_only();
DELETE FROM model_promotions WHERE action NOT IN ('promote', 'rollback');
ALTER TABLE model_promotions
    DROP CONSTRAINT chk_promotion_action,
    ADD CONSTRAINT chk_promotion_action CHECK (action IN ('promote', 'rollback')),
    DROP CONSTRAINT chk_promotion_replaced,
    DROP COLUMN made_by, DROP COLUMN line, DROP COLUMN is_live, DROP COLUMN undoes;
DROP INDEX idx_promotions_replaced, idx_promotions_action;
CREATE INDEX idx_promotions_created ON model_promotions (created_at DESC, id DESC);

DROP INDEX uq_active_models_live_of_line;
ALTER TABLE prediction_active_models DROP COLUMN line, DROP COLUMN auto_promotion, DROP COLUMN predictions_before;

DROP TABLE send_cooldowns;
DROP TABLE prediction_drift;

ALTER TABLE predictions RESET (fillfactor);
CREATE INDEX idx_predictions_pending ON predictions (active_model_id, data_timestamp) WHERE outcome IS NULL;

-- The older service rolled nothing up.
DELETE FROM prediction_stats;
ALTER TABLE prediction_stats
    DROP CONSTRAINT prediction_stats_pkey,
    DROP COLUMN phase, DROP COLUMN alert_unresolved, DROP COLUMN alert_brier_sum, DROP COLUMN changes,
    DROP COLUMN change_pct_sum, DROP COLUMN positive_changes, DROP COLUMN positive_change_pct_sum,
    DROP COLUMN alert_changes, DROP COLUMN alert_change_pct_sum,
    ADD PRIMARY KEY (active_model_id, bucket_start);

DROP TABLE prediction_calibration;
DROP TABLE prediction_dues;
DROP TABLE prediction_batches;

-- One position again: up to where all shards are, without anything that waits in one of them. What the others did beyond it
-- is told by the unique key. The older service does not count what is owed.
WITH behind AS (
    SELECT high, clock, table_mark FROM worker_positions WHERE name LIKE 'live-%' ORDER BY high, clock LIMIT 1
), waiting AS (
    SELECT range_agg(int8range((item ->> 0)::bigint, least((item ->> 1)::bigint, behind.high), '[]')) AS ids
    FROM worker_positions CROSS JOIN behind CROSS JOIN jsonb_array_elements(pending) AS item
    WHERE name LIKE 'live-%' AND (item ->> 0)::bigint <= behind.high
), sums AS (
    SELECT coalesce(jsonb_object_agg(key, total), '{}') AS counters
    FROM (
        SELECT key, sum(value::numeric) AS total
        FROM worker_positions CROSS JOIN jsonb_each(counters)
        WHERE name LIKE 'live-%' AND key <> 'owed' AND jsonb_typeof(value) = 'number'
        GROUP BY key
    ) AS counted
), left_out AS (
    SELECT coalesce(jsonb_object_agg(key, total), '{}') AS skipped
    FROM (
        SELECT key, sum(value::numeric) AS total
        FROM worker_positions CROSS JOIN jsonb_each(coalesce(counters -> 'skipped', '{}'))
        WHERE name LIKE 'live-%'
        GROUP BY key
    ) AS counted
)
INSERT INTO worker_positions (name, high, pending, clock, models_version, counters)
SELECT
    'live', behind.high,
    (SELECT coalesce(jsonb_agg(jsonb_build_array(lower(part), upper(part) - 1) ORDER BY part), '[]')
     FROM unnest(waiting.ids) AS part),
    behind.clock, (SELECT max(models_version) FROM worker_positions WHERE name LIKE 'live-%'),
    sums.counters || jsonb_build_object('skipped', left_out.skipped) || behind.table_mark
FROM behind, waiting, sums, left_out;
DELETE FROM worker_positions WHERE name LIKE 'live-%';
ALTER TABLE worker_positions DROP COLUMN table_mark;
