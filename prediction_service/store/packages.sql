-- name: lock_registry
-- Held to the end of the transaction: one at a time gives ids away and puts folders in their places.
SELECT pg_advisory_xact_lock(hashtextextended('model_packages', 0));

-- name: ids_like
-- The ids that a number may stand behind; that of a package that is gone is taken as long as its account is there.
SELECT id FROM (SELECT id FROM model_packages UNION ALL SELECT package_id FROM paper_accounts) AS taken
WHERE id = :slug OR id LIKE replace(:slug, '_', '\_') || '\_%';

-- name: ids
SELECT id FROM model_packages;

-- name: insert
INSERT INTO model_packages (
    id, name, forecast_rel_path, ppo_rel_path, forecast_sha256, ppo_sha256, forecast_bytes, ppo_bytes, manifest,
    uploaded_by, is_builtin, request_id, status, validated_at
) VALUES (
    :id, :name, :forecast_rel_path, :ppo_rel_path, :forecast_sha256, :ppo_sha256, :forecast_bytes, :ppo_bytes, :manifest,
    :uploaded_by, :is_builtin, :request_id, CASE WHEN :is_validated THEN 'READY' ELSE 'UPLOADED' END,
    CASE WHEN :is_validated THEN clock_timestamp() END
);

-- name: get
SELECT * FROM model_packages WHERE id = :id;

-- name: lock
SELECT * FROM model_packages WHERE id = :id FOR UPDATE;

-- name: find
SELECT
    id, name, forecast_rel_path, ppo_rel_path, forecast_sha256, ppo_sha256, forecast_bytes, ppo_bytes, status,
    warmup_required, warmup_status, warmup_error, warmup_completed_at, warmup_requested_at, uploaded_by, is_builtin,
    validated_at, archived_at, created_at, updated_at, market
FROM model_packages
WHERE id = :id;

-- name: hold
-- Not deleted before the transaction ends; anything else may change.
SELECT
    id, name, forecast_rel_path, ppo_rel_path, forecast_sha256, ppo_sha256, forecast_bytes, ppo_bytes, status,
    warmup_required, warmup_status, warmup_error, warmup_completed_at, warmup_requested_at, uploaded_by, is_builtin,
    validated_at, archived_at, created_at, updated_at, market
FROM model_packages
WHERE id = :id
FOR KEY SHARE;

-- name: list_page
-- Without what may be large.
SELECT
    id, name, forecast_rel_path, ppo_rel_path, forecast_sha256, ppo_sha256, forecast_bytes, ppo_bytes, status,
    warmup_required, warmup_status, warmup_error, warmup_completed_at, warmup_requested_at, uploaded_by, is_builtin,
    validated_at, archived_at, created_at, updated_at, market
FROM model_packages
ORDER BY created_at DESC, id
LIMIT :limit OFFSET :offset;

-- name: count
SELECT count(*) FROM model_packages;

-- name: running
SELECT
    id, name, forecast_rel_path, ppo_rel_path, forecast_sha256, ppo_sha256, forecast_bytes, ppo_bytes, status,
    warmup_required, warmup_status, warmup_error, warmup_completed_at, warmup_requested_at, uploaded_by, is_builtin,
    validated_at, archived_at, created_at, updated_at, market
FROM model_packages
WHERE warmup_status = 'RUNNING' AND status <> 'ARCHIVED'
ORDER BY created_at;

-- name: archive
UPDATE model_packages SET status = 'ARCHIVED', archived_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = :id AND status <> 'ARCHIVED';

-- name: restore
UPDATE model_packages
SET status = CASE WHEN validated_at IS NULL THEN 'UPLOADED' ELSE 'READY' END, archived_at = NULL,
    updated_at = clock_timestamp()
WHERE id = :id AND status = 'ARCHIVED';

-- name: delete
DELETE FROM model_packages WHERE id = :id;

-- name: request_warmup
UPDATE model_packages
SET warmup_status = 'PENDING', warmup_error = NULL, warmup_completed_at = NULL, warmup_cut_off = 0,
    warmup_requested_at = clock_timestamp(), updated_at = clock_timestamp(), request_id = :request_id
WHERE id = :id;

-- name: set_validated
UPDATE model_packages
SET manifest = :manifest, validated_at = clock_timestamp(), warmup_cut_off = 0, updated_at = clock_timestamp(),
    warmup_error = CASE WHEN warmup_status <> 'PENDING' THEN warmup_error END,
    status = CASE status WHEN 'ARCHIVED' THEN 'ARCHIVED' ELSE 'READY' END
WHERE id = :id AND created_at = :created_at;

-- name: fail
UPDATE model_packages
SET warmup_status = 'FAILED', warmup_error = :reason, warmup_completed_at = NULL, updated_at = clock_timestamp()
WHERE id = :id AND created_at = :created_at AND warmup_status IN ('PENDING', 'RUNNING');

-- name: wait_with
-- The same words again change nothing.
UPDATE model_packages
SET warmup_status = 'PENDING', warmup_error = :reason, warmup_completed_at = NULL, updated_at = clock_timestamp()
WHERE id = :id AND created_at = :created_at AND warmup_status IN ('PENDING', 'RUNNING')
  AND (warmup_status, warmup_error) IS DISTINCT FROM ('PENDING', :reason);

-- name: tell_waiting
-- Whoever changes a package at this moment knows better.
WITH free AS (
    SELECT id FROM model_packages
    WHERE id = ANY(:ids) AND warmup_status = 'PENDING' AND status = 'READY'
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE model_packages AS package SET warmup_error = given.reason, updated_at = clock_timestamp()
FROM free JOIN unnest(:ids::text[], :moments::timestamptz[], :reasons::text[]) AS given (id, requested_at, reason)
    ON given.id = free.id
WHERE package.id = free.id AND package.warmup_requested_at = given.requested_at
  AND package.warmup_error IS DISTINCT FROM given.reason;

-- name: tell_stuck
UPDATE model_packages SET warmup_error = :reason, updated_at = clock_timestamp()
WHERE id = ANY(:ids) AND warmup_status = 'PENDING' AND status <> 'ARCHIVED' AND warmup_error IS DISTINCT FROM :reason;

-- name: claim_warmup
UPDATE model_packages
SET warmup_status = 'RUNNING', warmup_error = NULL, warmup_completed_at = NULL, updated_at = clock_timestamp()
WHERE id = :id AND created_at = :created_at AND status <> 'ARCHIVED' AND warmup_status <> 'DONE'
RETURNING *;

-- name: finish_warmup
UPDATE model_packages
SET warmup_status = 'DONE', warmup_error = NULL, warmup_completed_at = clock_timestamp(),
    warmup_diagnostics = :diagnostics, warmup_cut_off = 0, updated_at = clock_timestamp()
WHERE id = :id AND created_at = :created_at AND warmup_status = 'RUNNING';

-- name: hand_back
UPDATE model_packages SET warmup_status = 'PENDING', updated_at = clock_timestamp()
WHERE id = :id AND created_at = :created_at AND warmup_status = 'RUNNING';

-- name: cut_off
UPDATE model_packages
SET warmup_cut_off = warmup_cut_off + 1, updated_at = clock_timestamp(),
    warmup_status = CASE WHEN warmup_cut_off + 1 < :most THEN 'PENDING' ELSE 'FAILED' END,
    warmup_error = CASE WHEN warmup_cut_off + 1 < :most THEN NULL ELSE :reason END
WHERE id = :id AND created_at = :created_at AND warmup_status = 'RUNNING';

-- name: try_hold
SELECT pg_try_advisory_lock(hashtextextended('model_packages ' || :id, 0));

-- name: let_go
SELECT pg_advisory_unlock(hashtextextended('model_packages ' || :id, 0));

-- name: try_hold_until_commit
SELECT pg_try_advisory_xact_lock(hashtextextended('model_packages ' || :id, 0));

-- name: announce
NOTIFY packages_changed;
