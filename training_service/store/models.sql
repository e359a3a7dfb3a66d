-- name: lock_names
-- Whoever gives a name to a model or a job waits here, so that no two get the same.
SELECT pg_advisory_xact_lock(hashtextextended('ml_models.name', 0));

-- name: live_names
SELECT name FROM ml_models
WHERE NOT is_deleted AND id <> :except_id AND (name = :name OR starts_with(name, :name || ' ('));

-- name: reserve_id
SELECT nextval(pg_get_serial_sequence('ml_models', 'id'));

-- name: insert
INSERT INTO ml_models (
    id, name, model_type, status, description, target_variable, target_operator, target_value, future_minutes,
    price_change_percent, target_direction, label_mode, label_resolution, train_start, train_end, features, phases, params,
    training_accuracy, training_f1, training_precision, training_recall, roc_auc, mcc, fpr, fnr, confusion_matrix,
    decision_threshold, alert_threshold, simulated_profit_pct, expected_value_pct, cv_scores, cv_overfitting_gap,
    feature_importance, metrics, card, warnings, model_file_path, model_file_sha256, run_key, job_id
) VALUES (
    :id, :name, :model_type, 'READY', :description, :target_variable, :target_operator, :target_value, :future_minutes,
    :price_change_percent, :target_direction, :label_mode, :label_resolution, :train_start, :train_end, :features, :phases,
    :params, :training_accuracy, :training_f1, :training_precision, :training_recall, :roc_auc, :mcc, :fpr, :fnr,
    :confusion_matrix, :decision_threshold, :alert_threshold, :simulated_profit_pct, :expected_value_pct, :cv_scores,
    :cv_overfitting_gap, :feature_importance, :metrics, :card, :warnings, :model_file_path, :model_file_sha256, :run_key,
    :job_id
);

-- name: get
-- Without the card, which is as large as all the rest.
SELECT
    id, name, model_type, status, is_deleted, description, target_variable, target_operator, target_value, future_minutes,
    price_change_percent, target_direction, label_mode, label_resolution, train_start, train_end, features, phases, params,
    training_accuracy, training_f1, training_precision, training_recall, roc_auc, mcc, fpr, fnr, confusion_matrix,
    decision_threshold, alert_threshold, simulated_profit_pct, expected_value_pct, cv_scores, cv_overfitting_gap,
    feature_importance, metrics, warnings, model_file_path, model_file_sha256, run_key, job_id, created_at
FROM ml_models WHERE id = :id;

-- name: card
SELECT card FROM ml_models WHERE id = :id;

-- name: by_ids
-- Without metrics and card, which are as large as all the rest.
SELECT
    id, name, model_type, status, is_deleted, description, target_variable, target_operator, target_value, future_minutes,
    price_change_percent, target_direction, label_mode, label_resolution, train_start, train_end, features, phases, params,
    training_accuracy, training_f1, training_precision, training_recall, roc_auc, mcc, fpr, fnr, confusion_matrix,
    decision_threshold, alert_threshold, simulated_profit_pct, expected_value_pct, cv_scores, cv_overfitting_gap,
    feature_importance, warnings, model_file_path, model_file_sha256, run_key, job_id, created_at
FROM ml_models WHERE id = ANY(:ids::bigint[]);

-- name: by_run_key
-- The models of equal work, the first one first; there are several where one was forced, or had lost its file.
SELECT id, model_file_path FROM ml_models WHERE run_key = :run_key AND NOT is_deleted AND status = 'READY' ORDER BY id;

-- name: list
-- Without metrics and card, which are as large as all the rest.
SELECT
    id, name, model_type, status, is_deleted, description, target_variable, target_operator, target_value, future_minutes,
    price_change_percent, target_direction, label_mode, label_resolution, train_start, train_end, features, phases, params,
    training_accuracy, training_f1, training_precision, training_recall, roc_auc, mcc, fpr, fnr, confusion_matrix,
    decision_threshold, alert_threshold, simulated_profit_pct, expected_value_pct, cv_scores, cv_overfitting_gap,
    feature_importance, warnings, model_file_path, model_file_sha256, run_key, job_id, created_at
FROM ml_models
WHERE is_deleted = :is_deleted
  AND (:status::text IS NULL OR status = :status) AND (:model_type::text IS NULL OR model_type = :model_type)
  AND (:search::text IS NULL OR strpos(lower(name), lower(:search)) > 0)
ORDER BY created_at DESC, id DESC
LIMIT :limit OFFSET :offset;

-- name: count
SELECT count(*) FROM ml_models
WHERE is_deleted = :is_deleted
  AND (:status::text IS NULL OR status = :status) AND (:model_type::text IS NULL OR model_type = :model_type)
  AND (:search::text IS NULL OR strpos(lower(name), lower(:search)) > 0);

-- name: change
UPDATE ml_models
SET name = coalesce(:name, name), description = CASE WHEN :with_description THEN :description ELSE description END
WHERE id = :id AND NOT is_deleted
RETURNING *;

-- name: delete
UPDATE ml_models SET is_deleted = true, deleted_at = now() WHERE id = :id AND NOT is_deleted RETURNING true;

-- name: totals
SELECT count(*) AS ever, count(*) FILTER (WHERE status = 'READY' AND NOT is_deleted) AS available FROM ml_models;

-- name: add_type
INSERT INTO ref_model_types (name, title, description) VALUES (:name, :title, :description) ON CONFLICT DO NOTHING;

-- name: types
SELECT name, title, description, default_params FROM ref_model_types ORDER BY name;

-- name: type_defaults
SELECT default_params FROM ref_model_types WHERE name = :name;
