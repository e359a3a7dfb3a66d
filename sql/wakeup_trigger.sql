-- Installs the trigger that wakes the live worker: once per statement, nothing when it is there already, because
-- CREATE TRIGGER locks the table against writers.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = 'coin_metrics'::regclass AND tgname = 'pumpcast_wakeup' AND tgenabled <> 'D'
          AND tgfoid = 'pumpcast_wakeup()'::regprocedure AND NOT tgisinternal
    ) THEN
        CREATE OR REPLACE TRIGGER pumpcast_wakeup AFTER INSERT ON coin_metrics
            FOR EACH STATEMENT EXECUTE FUNCTION pumpcast_wakeup();
        ALTER TABLE coin_metrics ENABLE TRIGGER pumpcast_wakeup;
    END IF;
END
$$;
