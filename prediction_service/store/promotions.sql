-- name: insert
INSERT INTO model_promotions (
    action, active_model_id, model_id, replaced_active_model_id, replaced_model_id, line, is_live, made_by, reason,
    metrics, undoes, created_at
) VALUES (
    :action, :active_model_id, :model_id, :replaced_active_model_id, :replaced_model_id, :line, :is_live, :made_by,
    :reason, :metrics, :undoes, clock_timestamp()
)
RETURNING *;

-- name: latest_promotion
SELECT made.id, made.replaced_active_model_id, undone.id AS undone_by
FROM model_promotions AS made
LEFT JOIN model_promotions AS undone ON undone.undoes = made.id
WHERE made.active_model_id = :active_model_id AND made.action = 'promote'
ORDER BY made.id DESC
LIMIT 1;

-- name: page
SELECT * FROM model_promotions WHERE id < :before_id /*where*/ ORDER BY id DESC LIMIT :most;

-- name: page_of_model
-- Apart, as each half has its own index; no row is in both.
SELECT *
FROM (
    (
        SELECT * FROM model_promotions
        WHERE active_model_id = :active_model_id AND id < :before_id /*where*/
        ORDER BY id DESC LIMIT :most
    )
    UNION ALL
    (
        SELECT * FROM model_promotions
        WHERE replaced_active_model_id = :active_model_id AND id < :before_id /*where*/
        ORDER BY id DESC LIMIT :most
    )
) AS found
ORDER BY id DESC
LIMIT :most;
