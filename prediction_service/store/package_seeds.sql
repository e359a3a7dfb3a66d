-- name: is_seeded
SELECT EXISTS (SELECT FROM package_seeds WHERE id = :id);

-- name: insert
INSERT INTO package_seeds (id) VALUES (:id) ON CONFLICT DO NOTHING;
