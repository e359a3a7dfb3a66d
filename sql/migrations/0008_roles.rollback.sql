-- The roles stay: they belong to the whole cluster, and other databases of it may use them.
DO $$
DECLARE
    held record;
BEGIN
    FOR held IN
        SELECT c.oid::regclass AS relation, a.grantee::regrole AS role_name
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE a.grantee IN (to_regrole('pumpcast_training'), to_regrole('pumpcast_prediction'))
        GROUP BY 1, 2
    LOOP
        BEGIN
            EXECUTE format('REVOKE ALL ON %s FROM %s', held.relation, held.role_name);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'rights on % stay', held.relation;
        END;
    END LOOP;
END
$$;
DROP FUNCTION pumpcast_grant();
DROP FUNCTION pumpcast_may(text, regclass, text[]);
DROP FUNCTION pumpcast_owners();
