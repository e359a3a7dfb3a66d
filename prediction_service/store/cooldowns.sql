-- name: load
SELECT active_model_id, coin_id, kind, sent_at FROM send_cooldowns WHERE active_model_id = ANY(:active_ids);

-- name: save
-- In the order of the key: whoever writes several rows locks them so.
INSERT INTO send_cooldowns (active_model_id, coin_id, kind, sent_at)
SELECT active_model_id, coin_id, kind, sent_at
FROM unnest(:active_ids::bigint[], :coin_ids::text[], :kinds::text[], :sent_at::timestamptz[])
    AS new (active_model_id, coin_id, kind, sent_at)
ORDER BY active_model_id, coin_id, kind
ON CONFLICT (active_model_id, coin_id, kind) DO UPDATE SET sent_at = excluded.sent_at;

-- name: forget_old
-- What no cooldown of its model reaches back to, or whose model is gone. The clock is that of the shard furthest behind.
-- Never waits for the live workers, who may hold some of the rows.
DELETE FROM send_cooldowns AS cooldown
USING (
    SELECT sent.active_model_id, sent.coin_id, sent.kind
    FROM send_cooldowns AS sent
    LEFT JOIN prediction_active_models AS model ON model.id = sent.active_model_id
    WHERE model.id IS NULL OR sent.sent_at < (
        SELECT min(clock) FROM worker_positions WHERE name LIKE 'live-%'
    ) - make_interval(secs => greatest(
        model.cooldown_negative_seconds, model.cooldown_positive_seconds, model.cooldown_alert_seconds
    ))
    ORDER BY sent.sent_at
    LIMIT :most
    FOR UPDATE OF sent SKIP LOCKED
) AS old
WHERE cooldown.active_model_id = old.active_model_id AND cooldown.coin_id = old.coin_id AND cooldown.kind = old.kind;

-- name: forget_all
DELETE FROM send_cooldowns;
