-- name: open_names
-- Names that jobs still to be done have spoken for.
SELECT model_name FROM ml_jobs
WHERE status IN ('PENDING', 'RUNNING') AND id <> :except_id
  AND (model_name = :name OR starts_with(model_name, :name || ' ('));

-- name: insert
INSERT INTO ml_jobs (
    job_type, priority, progress_msg, model_name, train_model_type, train_target_var, train_operator, train_value,
    train_start, train_end, train_features, train_phases, train_params, train_future_minutes,
    train_price_change_percent, train_target_direction, warnings, request, request_id, traceparent,
    log
) VALUES (
    :job_type, :priority, 'waiting for a worker', :model_name, :model_type, :target_variable, :target_operator, :target_value,
    :train_start, :train_end, :features, :phases, :params, :future_minutes,
    :price_change_percent, :target_direction, :warnings, :request, :request_id, :traceparent,
    pumpcast_log('[]', 'info', ARRAY['accepted: waits for a worker'])
) RETURNING id;

-- name: insert_test
-- Of one model (TEST), or of the models that the request names (COMPARE).
INSERT INTO ml_jobs (
    job_type, priority, progress_msg, test_model_id, test_start, test_end, warnings, request, request_id, traceparent, log
)
VALUES (
    :job_type, :priority, 'waiting for a worker', :model_id, :test_start, :test_end, :warnings, :request, :request_id, :traceparent,
    pumpcast_log('[]', 'info', ARRAY['accepted: waits for a worker'])
) RETURNING id;

-- name: notify
-- Equal payloads of a transaction fold into one notification, sent at commit.
SELECT pg_notify('ml_jobs_insert', '{}');

-- name: get
SELECT * FROM ml_jobs WHERE id = :id;

-- name: log
SELECT id, status, log FROM ml_jobs WHERE id = :id;

-- name: look
-- Asked for again and again: the large columns are read only where the row is not the version that was seen.
SELECT
    id, status, progress, progress_msg, error_msg, xmin::text AS version,
    CASE WHEN xmin::text IS DISTINCT FROM :seen::text THEN log END AS log,
    CASE WHEN xmin::text IS DISTINCT FROM :seen::text THEN interim END AS interim
FROM ml_jobs WHERE id = :id;

-- name: list
-- Without log and interim, which are larger than all the rest.
SELECT
    id, job_type, status, priority, progress, progress_msg, error_msg, warnings, request, request_id, attempts, lost_leases,
    worker_id, lease_token, lease_expires_at, model_name, train_model_type, train_target_var, train_operator, train_value,
    train_start, train_end, train_features, train_phases, train_params, train_future_minutes, train_price_change_percent,
    train_target_direction, test_model_id, test_start, test_end, result_model_id, result_test_id, result_comparison_id,
    created_at, started_at, completed_at, run_key
FROM ml_jobs
WHERE (:status::text IS NULL OR status = :status) AND (:job_type::text IS NULL OR job_type = :job_type)
ORDER BY created_at DESC, id DESC
LIMIT :limit OFFSET :offset;

-- name: count
SELECT count(*) FROM ml_jobs
WHERE (:status::text IS NULL OR status = :status) AND (:job_type::text IS NULL OR job_type = :job_type);

-- name: release_lost
-- A worker that has not renewed its lease is taken for gone; whatever it still writes carries an old token.
UPDATE ml_jobs
SET status = CASE WHEN lost_leases + 1 < :most THEN 'PENDING' ELSE 'FAILED' END,
    error_msg = CASE WHEN lost_leases + 1 < :most THEN error_msg
                     ELSE format('the worker was lost %s times while this job ran: it may want more memory than there is; '
                                 'see its log, then retry the job', :most) END,
    completed_at = CASE WHEN lost_leases + 1 < :most THEN NULL ELSE now() END,
    lost_leases = lost_leases + 1, lease_token = lease_token + 1, lease_expires_at = NULL, worker_id = NULL, progress = 0,
    progress_msg = 'its worker was lost',
    log = pumpcast_log(log, 'warning', ARRAY[format('worker %s was lost: the job goes back into the queue', worker_id)])
WHERE id IN (
    SELECT id FROM ml_jobs WHERE status = 'RUNNING' AND lease_expires_at < now() FOR UPDATE SKIP LOCKED
)
RETURNING id, status;

-- name: claim
UPDATE ml_jobs
SET status = 'RUNNING', worker_id = :worker, lease_token = lease_token + 1,
    lease_expires_at = now() + make_interval(secs => :lease_seconds), started_at = coalesce(started_at, now()),
    error_msg = NULL, progress = 0, progress_msg = 'started', run_key = NULL, not_before = NULL, waits_for = NULL,
    interim = CASE job_type WHEN 'TUNE' THEN interim ELSE '{}' END,
    log = pumpcast_log(log, 'info', ARRAY[format('taken up by worker %s', :worker::text)])
WHERE id = (
    SELECT id FROM ml_jobs AS waiting
    WHERE status = 'PENDING' AND job_type = ANY(:job_types::text[]) AND (not_before IS NULL OR not_before <= now())
      AND NOT EXISTS (SELECT FROM ml_jobs AS other WHERE other.id = waiting.waits_for AND other.status = 'RUNNING')
    ORDER BY priority DESC, id
    LIMIT 1
    FOR UPDATE OF waiting SKIP LOCKED
)
RETURNING *, CASE WHEN started_at = now() THEN extract(epoch FROM now() - coalesce(queued_at, created_at))::float8 END
    AS waited_seconds;

-- name: renew
UPDATE ml_jobs
SET lease_expires_at = now() + make_interval(secs => :lease_seconds), progress = :progress, progress_msg = :message,
    log = CASE WHEN cardinality(:lines::text[]) = 0 THEN log
               ELSE pumpcast_log(log, 'info', :lines::text[], :moments::timestamptz[]) END,
    interim = coalesce(:interim::jsonb, interim)
WHERE id = :id AND lease_token = :token AND status = 'RUNNING'
RETURNING true;

-- name: is_held
SELECT EXISTS (SELECT FROM ml_jobs WHERE id = :id AND lease_token = :token AND status = 'RUNNING');

-- name: hold
-- Locked until the result is written: nobody takes the job away in between.
SELECT true FROM ml_jobs WHERE id = :id AND lease_token = :token AND status = 'RUNNING' FOR UPDATE;

-- name: finish
UPDATE ml_jobs
SET status = 'COMPLETED', progress = 1, progress_msg = :message, result_model_id = :model_id, result_test_id = :test_id,
    result_comparison_id = :comparison_id, warnings = :warnings, completed_at = now(), lease_expires_at = NULL,
    interim = coalesce(:interim::jsonb, interim),
    log = pumpcast_log(log, 'info', :lines::text[] || :message::text, :moments::timestamptz[])
WHERE id = :id AND lease_token = :token AND status = 'RUNNING'
RETURNING true;

-- name: fail
-- The end of an attempt; what may work another time waits for the next one.
WITH ended AS (
    UPDATE ml_jobs
    SET status = CASE WHEN :is_final OR attempts + 1 >= :most THEN 'FAILED' ELSE 'PENDING' END,
        completed_at = CASE WHEN :is_final OR attempts + 1 >= :most THEN now() END,
        not_before = CASE WHEN NOT :is_final
                          THEN now() + make_interval(secs => (:pauses::double precision[])[attempts + 1]) END,
        attempts = attempts + 1, error_msg = :error, lease_token = lease_token + 1, lease_expires_at = NULL, worker_id = NULL,
        progress_msg = CASE WHEN :is_final OR attempts + 1 >= :most THEN progress_msg
                            ELSE format('waits %s s for another attempt', (:pauses::double precision[])[attempts + 1]) END,
        interim = coalesce(:interim::jsonb, interim),
        log = pumpcast_log(pumpcast_log(log, 'info', :lines::text[], :moments::timestamptz[]), 'error', ARRAY[:error::text])
    WHERE id = :id AND lease_token = :token AND status = 'RUNNING'
    RETURNING status
)
-- Whoever waits for this job may go on.
SELECT status, pg_notify('ml_jobs_insert', '{}') FROM ended;

-- name: put_back
-- No attempt is counted. A job that waits for another one is claimed when that one does not run any more.
WITH ended AS (
    UPDATE ml_jobs
    SET status = 'PENDING', lease_token = lease_token + 1, lease_expires_at = NULL, worker_id = NULL, progress = 0,
        progress_msg = :reason, run_key = NULL, waits_for = :waits_for, interim = coalesce(:interim::jsonb, interim),
        log = pumpcast_log(log, 'info', :lines::text[] || :reason::text, :moments::timestamptz[])
    WHERE id = :id AND lease_token = :token AND status = 'RUNNING'
    RETURNING id
)
SELECT true, pg_notify('ml_jobs_insert', '{}') FROM ended;

-- name: lock_run_key
-- Of two jobs with one key that run at once, one asks after the other.
SELECT pg_advisory_xact_lock(hashtextextended('ml_jobs.run_key ' || :run_key, 0));

-- name: run_key_holder
SELECT id FROM ml_jobs WHERE run_key = :run_key AND status = 'RUNNING' AND id <> :id ORDER BY id LIMIT 1;

-- name: set_run_key
UPDATE ml_jobs SET run_key = :run_key WHERE id = :id AND lease_token = :token AND status = 'RUNNING';

-- name: cancel
UPDATE ml_jobs
SET status = 'CANCELLED', lease_token = lease_token + 1, lease_expires_at = NULL, completed_at = now(),
    progress_msg = 'cancelled', log = pumpcast_log(log, 'info', ARRAY['cancelled'])
WHERE id = :id AND status IN ('PENDING', 'RUNNING')
RETURNING *;

-- name: retry
UPDATE ml_jobs
SET status = 'PENDING', attempts = 0, lost_leases = 0, progress = 0, progress_msg = 'waiting for a worker', error_msg = NULL,
    model_name = :name, worker_id = NULL, started_at = NULL, completed_at = NULL, not_before = NULL, waits_for = NULL,
    queued_at = now(), failed_before = failed_before + (status = 'FAILED')::int,
    cancelled_before = cancelled_before + (status = 'CANCELLED')::int,
    log = pumpcast_log(log, 'info', ARRAY['to be run again'])
WHERE id = :id AND status IN ('FAILED', 'CANCELLED')
RETURNING *;

-- name: totals
SELECT job_type, status, count(*) AS jobs FROM ml_jobs GROUP BY job_type, status;

-- name: endings_before
SELECT job_type, sum(failed_before)::bigint AS failed, sum(cancelled_before)::bigint AS cancelled
FROM ml_jobs WHERE failed_before + cancelled_before > 0 GROUP BY job_type;

-- name: queue
-- A job that waits for the next attempt, or for another job, waits on purpose.
SELECT
    coalesce((
        SELECT extract(epoch FROM clock_timestamp() - min(coalesce(queued_at, created_at)))::float8 FROM ml_jobs
        WHERE status = 'PENDING' AND waits_for IS NULL AND (not_before IS NULL OR not_before <= clock_timestamp())
    ), 0) AS oldest_seconds,
    (SELECT count(*) FROM ml_jobs WHERE status = 'RUNNING' AND lease_expires_at < clock_timestamp()) AS overdue;
