-- name: phase_ids
SELECT id FROM ref_coin_phases ORDER BY id;
