-- What jobs tell on their way and what they wait for, kinds of models without a list in the database, and the key of equal work.

-- depends: 0004_wakeup

-- The service knows its kinds of models; a new one is written here with its first job.
ALTER TABLE ref_model_types
    DROP CONSTRAINT chk_model_type,
    ADD CONSTRAINT chk_model_type CHECK (name ~ '^[a-z][a-z0-9_]{0,39}$');

ALTER TABLE prediction_active_models
    DROP CONSTRAINT chk_active_model_type,
    ADD CONSTRAINT chk_active_model_type CHECK (model_type ~ '^[a-z][a-z0-9_]{0,39}$');

ALTER TABLE ml_jobs
    ADD COLUMN interim jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN run_key text,
    ADD COLUMN not_before timestamptz,
    ADD COLUMN waits_for bigint,
    ADD CONSTRAINT chk_job_interim CHECK (jsonb_typeof(interim) = 'object');

CREATE INDEX idx_jobs_run_key ON ml_jobs (run_key) WHERE status = 'RUNNING';

CREATE FUNCTION pumpcast_log(
    log jsonb, level text, messages text[], moments timestamptz[] DEFAULT '{}'
) RETURNS jsonb LANGUAGE sql AS $$
    -- A tail: the newest 500 lines. A message without a moment is of now.
    SELECT coalesce(jsonb_agg(line ORDER BY place), '[]')
    FROM (
        SELECT line, place
        FROM jsonb_array_elements(
            log || coalesce((
                SELECT jsonb_agg(
                    jsonb_build_object(
                        'at', coalesce(moments[number], clock_timestamp()), 'level', level, 'message', message
                    ) ORDER BY number
                )
                FROM unnest(messages) WITH ORDINALITY AS told (message, number)
            ), '[]')
        ) WITH ORDINALITY AS lines (line, place)
        ORDER BY place DESC
        LIMIT 500
    ) AS tail
$$;
