-- name: server
SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version;

-- name: tracker_columns
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass('coin_metrics') AND attnum > 0 AND NOT attisdropped;

-- name: phases
SELECT to_regclass('ref_coin_phases') IS NOT NULL;

-- name: index_columns
-- The columns of every index that queries can use, in their order.
SELECT array_agg(a.attname::text ORDER BY k.place) AS columns
FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = to_regclass('coin_metrics') AND i.indisvalid AND i.indpred IS NULL AND k.place <= i.indnkeyatts
GROUP BY i.indexrelid;

-- name: rights
SELECT
    current_user::text AS name,
    has_table_privilege('coin_metrics', 'SELECT') AS may_read,
    has_table_privilege('coin_metrics', 'TRIGGER') AS may_install,
    EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = to_regclass('coin_metrics') AND tgname = 'pumpcast_wakeup' AND tgenabled <> 'D'
    ) AS installed;

-- name: may_read_packages
SELECT coalesce(has_table_privilege(to_regclass('model_packages'), 'SELECT'), false);

-- name: waiting_packages
-- What is warm found its libraries, in another container perhaps.
SELECT count(*) FROM model_packages WHERE NOT is_builtin AND status <> 'ARCHIVED' AND warmup_status <> 'DONE';

-- name: failed_packages
SELECT id, is_builtin, coalesce(warmup_error, 'its warm-up failed') AS warmup_error FROM model_packages
WHERE warmup_status = 'FAILED' AND status <> 'ARCHIVED' ORDER BY created_at, id LIMIT 20;
