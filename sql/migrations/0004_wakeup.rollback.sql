-- Takes the trigger on coin_metrics with it.
DROP FUNCTION pumpcast_wakeup() CASCADE;
