-- What the roles of the services lack, one sentence a row.
SELECT 'there is no role ' || role_name || ': services log in as another user' AS sentence
FROM unnest(ARRAY['pumpcast_training', 'pumpcast_prediction']) AS role_name
WHERE to_regrole(role_name) IS NULL
UNION ALL
SELECT role_name || ' lacks rights on ' || string_agg(relation::text, ', ' ORDER BY relation::text)
FROM (
    SELECT 'pumpcast_' || service AS role_name, to_regclass(relation) AS relation,
           ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] AS rights
    FROM pumpcast_owners()
    UNION ALL
    SELECT role_name, to_regclass(relation), ARRAY['SELECT']
    FROM unnest(ARRAY['pumpcast_training', 'pumpcast_prediction']) AS role_name,
         unnest(ARRAY['coin_metrics', 'ref_coin_phases', '_yoyo_migration']) AS relation
) AS wanted
WHERE to_regrole(role_name) IS NOT NULL AND relation IS NOT NULL AND NOT pumpcast_may(role_name, relation, rights)
GROUP BY role_name
UNION ALL
SELECT role_name || ' reaches ' || string_agg(relation, ', ' ORDER BY relation) || ' of the other service'
FROM unnest(ARRAY['pumpcast_training', 'pumpcast_prediction']) AS role_name, pumpcast_owners()
WHERE to_regrole(role_name) IS NOT NULL AND 'pumpcast_' || service <> role_name AND to_regclass(relation) IS NOT NULL
  AND has_table_privilege(role_name, to_regclass(relation), 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
GROUP BY role_name
UNION ALL
-- As in every database that PostgreSQL 14 made: what lies there is found by statements that the owner runs.
SELECT format('%1$s may make objects in schema %2$I: REVOKE CREATE ON SCHEMA %2$I FROM PUBLIC', role_name, current_schema())
FROM unnest(ARRAY['pumpcast_training', 'pumpcast_prediction']) AS role_name
WHERE to_regrole(role_name) IS NOT NULL AND has_schema_privilege(role_name, current_schema(), 'CREATE');
