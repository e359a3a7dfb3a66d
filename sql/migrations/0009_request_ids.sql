-- One request can be followed: from the app to the job, the check of a package, the message and each attempt at it.

-- depends: 0008_roles

ALTER TABLE ml_jobs ADD COLUMN traceparent text;
ALTER TABLE model_packages ADD COLUMN request_id text;
ALTER TABLE webhook_deliveries ADD COLUMN request_id text, ADD COLUMN traceparent text;
ALTER TABLE prediction_webhook_log ADD COLUMN request_id text;
