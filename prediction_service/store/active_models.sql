-- name: insert
INSERT INTO prediction_active_models (
    model_id, model_name, model_type, target_variable, target_operator, target_value, future_minutes,
    price_change_percent, target_direction, features, phases, params, local_model_path, model_file_sha256, manifest,
    decision_threshold, alert_threshold, mode, line, is_active, activated_at, activation, predictions_before
) VALUES (
    :model_id, :model_name, :model_type, :target_variable, :target_operator, :target_value, :future_minutes,
    :price_change_percent, :target_direction, :features, :phases, :params, :local_model_path, :model_file_sha256,
    :manifest, :decision_threshold, :alert_threshold, :mode, :line, true, clock_timestamp(), :activation,
    (SELECT coalesce(max(id), 0) FROM predictions)
)
RETURNING id;

-- name: models
-- Without the manifest, which is a thousand times the rest. The table is small: any condition may be NULL.
SELECT
    model.id, model.model_id, model.model_name, model.custom_name, model.model_type, model.target_variable,
    model.target_operator, model.target_value, model.future_minutes, model.price_change_percent, model.target_direction,
    model.features, model.phases, model.params, model.local_model_path, model.model_file_sha256, model.is_active,
    model.activated_at, model.deactivated_at, model.activation, model.decision_threshold, model.alert_threshold,
    model.send_modes, model.cooldown_negative_seconds, model.cooldown_positive_seconds, model.cooldown_alert_seconds,
    model.coin_filter_mode, model.coin_whitelist, model.mode, model.created_at, model.updated_at,
    model.line, model.auto_promotion, model.predictions_before
FROM prediction_active_models AS model
WHERE (:id::bigint IS NULL OR model.id = :id)
  AND (:model_ids::bigint[] IS NULL OR model.model_id = ANY(:model_ids))
  AND (
    :which = 'all' OR model.is_active
    -- One that was deactivated may still owe answers to rows from before.
    OR (:which = 'owing' AND jsonb_array_length(model.activation) > 0)
  )
ORDER BY model.id;

-- name: id_of_model
SELECT id FROM prediction_active_models WHERE model_id = :model_id;

-- name: imported
SELECT model_id, id FROM prediction_active_models;

-- name: manifest
SELECT manifest::text FROM prediction_active_models WHERE id = :id;

-- name: overview
-- The total is rolled up, the newest one comes from the index on (active_model_id, id).
SELECT
    model.id, model.model_id, model.model_name, model.custom_name, model.model_type, model.target_variable,
    model.target_operator, model.target_value, model.future_minutes, model.price_change_percent, model.target_direction,
    model.features, model.phases, model.params, model.local_model_path, model.model_file_sha256, model.is_active,
    model.activated_at, model.deactivated_at, model.activation, model.decision_threshold, model.alert_threshold,
    model.send_modes, model.cooldown_negative_seconds, model.cooldown_positive_seconds, model.cooldown_alert_seconds,
    model.coin_filter_mode, model.coin_whitelist, model.mode, model.created_at, model.updated_at,
    model.line, model.auto_promotion, model.predictions_before,
    counted.total_predictions, newest.created_at AS last_prediction_at
FROM prediction_active_models AS model
CROSS JOIN LATERAL (
    SELECT coalesce(sum(predictions), 0)::bigint AS total_predictions
    FROM prediction_stats WHERE active_model_id = model.id
) AS counted
LEFT JOIN LATERAL (
    SELECT created_at FROM predictions WHERE active_model_id = model.id ORDER BY id DESC LIMIT 1
) AS newest ON true
WHERE (model.is_active OR :include_inactive) AND model.id = coalesce(:id, model.id)
ORDER BY model.created_at DESC, model.id DESC;

-- name: set_active
UPDATE prediction_active_models
SET is_active = :is_active, activation = :activation, updated_at = clock_timestamp(),
    activated_at = CASE WHEN :is_active THEN clock_timestamp() ELSE activated_at END,
    predictions_before = CASE
        WHEN :is_active THEN (SELECT coalesce(max(id), 0) FROM predictions) ELSE predictions_before
    END,
    deactivated_at = CASE WHEN :is_active THEN NULL ELSE clock_timestamp() END
WHERE id = :id;

-- name: change_settings
UPDATE prediction_active_models
SET alert_threshold = coalesce(:alert_threshold, (manifest ->> 'alert_threshold')::float8), send_modes = :send_modes,
    cooldown_negative_seconds = :cooldown_negative_seconds, cooldown_positive_seconds = :cooldown_positive_seconds,
    cooldown_alert_seconds = :cooldown_alert_seconds, coin_filter_mode = :coin_filter_mode,
    coin_whitelist = :coin_whitelist, phases = :phases, mode = :mode, line = :line, auto_promotion = :auto_promotion,
    updated_at = clock_timestamp()
WHERE id = :id;

-- name: set_mode
-- What it had to show belonged to the change that this one is, or undoes: left there, two models would swap for ever.
UPDATE prediction_active_models
SET mode = :mode, auto_promotion = NULL, updated_at = clock_timestamp()
WHERE id = :id;

-- name: line_mates
SELECT id, is_active AND mode = 'live' AS is_live, manifest -> 'target' IS NOT DISTINCT FROM :target AS asks_the_same
FROM prediction_active_models
WHERE line = :line AND id IS DISTINCT FROM :id
ORDER BY id;

-- name: target
SELECT manifest -> 'target' FROM prediction_active_models WHERE id = :id;

-- name: live_of_line
SELECT id FROM prediction_active_models WHERE line = :line AND is_active AND mode = 'live';

-- name: rename
UPDATE prediction_active_models SET custom_name = :custom_name, updated_at = clock_timestamp() WHERE id = :id;

-- name: delete
DELETE FROM prediction_active_models WHERE id = :id;

-- name: announce
NOTIFY prediction_models_changed;

-- name: paths
SELECT local_model_path FROM prediction_active_models;

-- name: active_ids
SELECT id FROM prediction_active_models WHERE is_active ORDER BY id;

-- name: count_active
SELECT count(*) FROM prediction_active_models WHERE is_active;

-- name: restart_intervals
UPDATE prediction_active_models
SET activation = CASE WHEN is_active THEN '[{"from": {"high": 0, "pending": []}, "until": null}]'::jsonb ELSE '[]' END;
