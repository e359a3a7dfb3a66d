ALTER TABLE prediction_webhook_log DROP COLUMN request_id;
ALTER TABLE webhook_deliveries DROP COLUMN request_id, DROP COLUMN traceparent;
ALTER TABLE model_packages DROP COLUMN request_id;
ALTER TABLE ml_jobs DROP COLUMN traceparent;
