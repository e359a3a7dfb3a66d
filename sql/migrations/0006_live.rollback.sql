DROP INDEX idx_webhook_log_failures;
CREATE INDEX idx_webhook_log_endpoint ON prediction_webhook_log (endpoint_id, id DESC);
ALTER TABLE webhook_deliveries
    DROP COLUMN active_model_ids, DROP COLUMN is_sending, DROP COLUMN resent_at, DROP COLUMN attempts_before;
DROP INDEX idx_deliveries_ended, idx_deliveries_coin;
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

-- One position again: that of the shard furthest behind. What the others did beyond it is told by the unique key.
INSERT INTO worker_positions (name, high, pending, clock, models_version, counters)
SELECT 'live', high, pending, clock, models_version, counters || table_mark
FROM worker_positions WHERE name LIKE 'live-%' ORDER BY high, clock LIMIT 1;
DELETE FROM worker_positions WHERE name LIKE 'live-%';
ALTER TABLE worker_positions DROP COLUMN table_mark;
