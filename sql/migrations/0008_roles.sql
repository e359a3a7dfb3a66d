-- Each service may log in as a role of its own that reaches its own tables alone and only reads those of the tracker.

-- depends: 0007_packages

-- Which service owns a table. A migration that makes a table replaces this function and runs pumpcast_grant.
CREATE FUNCTION pumpcast_owners() RETURNS TABLE (service text, relation text) LANGUAGE sql STABLE AS $$
    VALUES
        ('training', 'ml_comparisons'), ('training', 'ml_jobs'), ('training', 'ml_models'),
        ('training', 'ml_test_results'), ('training', 'ref_model_types'),
        ('prediction', 'candle_feeds'), ('prediction', 'candles'), ('prediction', 'model_packages'),
        ('prediction', 'model_promotions'), ('prediction', 'package_seeds'), ('prediction', 'paper_accounts'),
        ('prediction', 'paper_equity_history'), ('prediction', 'paper_positions'),
        ('prediction', 'prediction_active_models'), ('prediction', 'prediction_batches'),
        ('prediction', 'prediction_calibration'), ('prediction', 'prediction_drift'),
        ('prediction', 'prediction_dues'), ('prediction', 'prediction_stats'), ('prediction', 'prediction_webhook_log'),
        ('prediction', 'predictions'), ('prediction', 'send_cooldowns'), ('prediction', 'webhook_deliveries'),
        ('prediction', 'webhook_endings'), ('prediction', 'webhook_endpoints'), ('prediction', 'worker_positions')
$$;

-- Makes the roles and gives them their rights; what is right already is left alone. Tells what could not be done.
CREATE FUNCTION pumpcast_grant() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    role_name text;
    wanted record;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['pumpcast_training', 'pumpcast_prediction'] LOOP
        IF to_regrole(role_name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                -- Another database of the cluster was quicker.
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RETURN NEXT format('there is no role %s, and %s may not create it', role_name, current_user);
                    CONTINUE;
            END;
        END IF;
        IF NOT has_schema_privilege(role_name, current_schema(), 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role_name);
        END IF;
        IF NOT has_database_privilege(role_name, current_database(), 'CONNECT') THEN
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
        END IF;
        FOR wanted IN
            SELECT to_regclass(o.relation) AS relation, ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] AS rights
            FROM pumpcast_owners() AS o WHERE role_name = 'pumpcast_' || o.service
            UNION ALL
            SELECT to_regclass(o.relation), '{}' FROM pumpcast_owners() AS o WHERE role_name <> 'pumpcast_' || o.service
            UNION ALL
            -- The tracker may not have made its tables yet: granted when this runs again.
            SELECT to_regclass(t.relation), ARRAY['SELECT']
            FROM unnest(ARRAY['coin_metrics', 'ref_coin_phases', '_yoyo_migration']) AS t (relation)
            UNION ALL
            SELECT s.oid::regclass, ARRAY['USAGE']
            FROM pumpcast_owners() AS o
            JOIN pg_depend AS d ON d.refobjid = to_regclass(o.relation) AND d.refclassid = 'pg_class'::regclass
            JOIN pg_class AS s ON s.oid = d.objid AND d.classid = 'pg_class'::regclass AND s.relkind = 'S'
            WHERE role_name = 'pumpcast_' || o.service
        LOOP
            CONTINUE WHEN wanted.relation IS NULL;
            BEGIN
                IF wanted.rights = '{}' THEN
                    -- Rights of PUBLIC on one of our tables would be rights of the other service.
                    IF has_table_privilege(role_name, wanted.relation, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') THEN
                        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, %I', wanted.relation, role_name);
                    END IF;
                    IF has_table_privilege(role_name, wanted.relation, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') THEN
                        RETURN NEXT format('%s still has rights on %s', role_name, wanted.relation);
                    END IF;
                ELSIF NOT pumpcast_may(role_name, wanted.relation, wanted.rights) THEN
                    EXECUTE format(
                        'GRANT %s ON %s TO %I', array_to_string(wanted.rights, ', '), wanted.relation, role_name
                    );
                    IF NOT pumpcast_may(role_name, wanted.relation, wanted.rights) THEN
                        RETURN NEXT format('%s may not grant rights on %s', current_user, wanted.relation);
                    END IF;
                END IF;
            EXCEPTION WHEN insufficient_privilege THEN
                RETURN NEXT format('%s may not grant rights on %s', current_user, wanted.relation);
            END;
        END LOOP;
    END LOOP;
END
$$;

-- Tells whether a role has all of some rights on a table or sequence.
CREATE FUNCTION pumpcast_may(role_name text, relation regclass, rights text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT bool_and(
        CASE WHEN wanted = 'USAGE' THEN has_sequence_privilege(role_name, relation, wanted)
             ELSE has_table_privilege(role_name, relation, wanted) END
    ) FROM unnest(rights) AS wanted
$$;

DO $$
BEGIN
    PERFORM pumpcast_grant();
END
$$;
