DROP INDEX idx_jobs_run_again;
ALTER TABLE ml_jobs
    DROP CONSTRAINT chk_job_endings_before, DROP COLUMN queued_at, DROP COLUMN failed_before, DROP COLUMN cancelled_before;
