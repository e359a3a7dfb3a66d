-- The function behind the trigger on coin_metrics; the trigger itself belongs to the worker, as the table may be missing.

-- depends: 0003_packages

CREATE FUNCTION pumpcast_wakeup() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Constant payload: PostgreSQL folds equal ones of a transaction into one notification.
    PERFORM pg_notify('coin_metrics_insert', '{}');
    RETURN NULL;
END
$$;
