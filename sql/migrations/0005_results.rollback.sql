DROP FUNCTION pumpcast_log(jsonb, text, text[], timestamptz[]);

ALTER TABLE ml_jobs DROP COLUMN interim, DROP COLUMN run_key, DROP COLUMN not_before, DROP COLUMN waits_for;

-- Kinds the older service does not know go, with what they made.
DELETE FROM ml_jobs WHERE train_model_type NOT IN ('random_forest', 'xgboost');
DELETE FROM ml_models WHERE model_type NOT IN ('random_forest', 'xgboost');
DELETE FROM prediction_active_models WHERE model_type NOT IN ('random_forest', 'xgboost');
DELETE FROM ref_model_types WHERE name NOT IN ('random_forest', 'xgboost');
ALTER TABLE ref_model_types
    DROP CONSTRAINT chk_model_type,
    ADD CONSTRAINT chk_model_type CHECK (name IN ('random_forest', 'xgboost'));
ALTER TABLE prediction_active_models
    DROP CONSTRAINT chk_active_model_type,
    ADD CONSTRAINT chk_active_model_type CHECK (model_type IN ('random_forest', 'xgboost'));
