-- Counters that never fall although a job may be run again, and the time from which it waits then.

-- depends: 0009_request_ids

ALTER TABLE ml_jobs
    ADD COLUMN queued_at timestamptz,
    ADD COLUMN failed_before integer NOT NULL DEFAULT 0,
    ADD COLUMN cancelled_before integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT chk_job_endings_before CHECK (failed_before >= 0 AND cancelled_before >= 0);

CREATE INDEX idx_jobs_run_again ON ml_jobs (job_type, failed_before, cancelled_before)
    WHERE failed_before + cancelled_before > 0;
