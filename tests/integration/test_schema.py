import psycopg
import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation, UniqueViolation

from shared.migrate import SQL_FOLDER, run_script
from tests.support import schema_document
from tests.support.schema_rows import fill, insert


def test_model_names_when_a_living_model_has_one_then_it_is_taken_and_free_after_deletion(database):
    with psycopg.connect(database, autocommit=True) as connection:
        insert(connection, "ml_models")
        with pytest.raises(UniqueViolation, match="uq_models_live_name"):
            insert(connection, "ml_models", job_id=None)
        connection.execute("UPDATE ml_models SET is_deleted = true")
        insert(connection, "ml_models", job_id=None)


def test_models_when_one_job_writes_twice_then_the_second_is_refused(database):
    with psycopg.connect(database, autocommit=True) as connection:
        insert(connection, "ml_models")
        with pytest.raises(UniqueViolation, match="uq_models_job"):
            insert(connection, "ml_models", name="second")


def test_model_type_when_unknown_then_models_and_jobs_refuse_it(database):
    with psycopg.connect(database, autocommit=True) as connection:
        fill(connection)
        for table, column in (("ml_models", "model_type"), ("ml_jobs", "train_model_type")):
            with pytest.raises(ForeignKeyViolation):
                connection.execute(f"UPDATE {table} SET {column} = 'svm'")


def test_predictions_when_one_is_repeated_then_the_first_stays(database):
    with psycopg.connect(database, autocommit=True) as connection:
        insert(connection, "predictions")
        with pytest.raises(UniqueViolation):
            insert(connection, "predictions", probability=0.1)
        columns = "active_model_id, model_id, data_timestamp, probability, threshold, prediction, coin_id"
        repeat = connection.execute(
            f"INSERT INTO predictions ({columns}) SELECT {columns} FROM predictions"
            " ON CONFLICT (active_model_id, coin_id, data_timestamp) DO NOTHING"
        )
        assert repeat.rowcount == 0
        insert(connection, "predictions", active_model_id=2)


def test_builtin_endpoint_when_made_twice_then_the_second_is_refused(database):
    with psycopg.connect(database, autocommit=True) as connection:
        insert(connection, "webhook_endpoints", is_builtin=True)
        with pytest.raises(UniqueViolation):
            insert(connection, "webhook_endpoints", is_builtin=True)
        insert(connection, "webhook_endpoints")


def test_endpoint_when_deleted_then_its_deliveries_and_attempts_go_with_it(database):
    with psycopg.connect(database, autocommit=True) as connection:
        fill(connection)
        connection.execute("DELETE FROM webhook_endpoints")
        assert connection.execute("SELECT count(*) FROM prediction_webhook_log").fetchone() == (0,)


def test_test_result_when_deleted_then_its_job_stays_without_it(database):
    with psycopg.connect(database, autocommit=True) as connection:
        fill(connection)
        connection.execute("DELETE FROM ml_test_results")
        assert connection.execute("SELECT status, result_test_id FROM ml_jobs").fetchone() == ("PENDING", None)


# The statements that tools written against the published column names send.
INSERT_MODEL = """
INSERT INTO ml_models (
    name, model_type, status,
    target_variable, target_operator, target_value,
    train_start, train_end,
    features, phases, params,
    training_accuracy, training_f1, training_precision, training_recall,
    feature_importance, model_file_path, description,
    cv_scores, cv_overfitting_gap,
    roc_auc, mcc, fpr, fnr, confusion_matrix, simulated_profit_pct,
    future_minutes, price_change_percent, target_direction
) VALUES (
    'text', 'random_forest', 'READY', 'price_close', NULL, NULL, now(), now() + interval '1 day',
    '["price_open"]'::jsonb, '[1, 2]'::jsonb, '{}'::jsonb, 0.9, 0.5, 0.5, 0.5, '{"price_open": 1.0}'::jsonb,
    '/models/model_1.pkl', NULL, '{"test_accuracy": [0.8]}'::jsonb, 0.05, 0.7, 0.2, 0.1, 0.3,
    '{"tp": 1, "tn": 2, "fp": 3, "fn": 4}'::jsonb, 0.1, 10, 30, 'up'
) RETURNING id
"""
INSERT_TEST = """
INSERT INTO ml_test_results (
    model_id, test_start, test_end,
    accuracy, f1_score, precision_score, recall, roc_auc,
    mcc, fpr, fnr, simulated_profit_pct, confusion_matrix,
    tp, tn, fp, fn,
    num_samples, num_positive, num_negative,
    has_overlap, overlap_note,
    train_accuracy, train_f1, train_precision, train_recall,
    accuracy_degradation, f1_degradation, is_overfitted,
    test_duration_days
) VALUES (%s, '2026-03-01Z', '2026-03-02Z', {accuracy}, 0.3, 0.25, 0.2, NULL, NULL, 0.6, 0.8, 0.1,
    '{{"tp": 1, "tn": 2, "fp": 3, "fn": 4}}'::jsonb, 1, 2, 3, 4, 10, 5, 5,
    false, NULL, 0.9, 0.5, 0.5, 0.5, 0.6, 0.2, true, 1)
ON CONFLICT (model_id, test_start, test_end) DO UPDATE SET accuracy = EXCLUDED.accuracy
RETURNING id
"""
INSERT_ACTIVE = """
INSERT INTO prediction_active_models (
    model_id, model_name, model_type,
    target_variable, target_operator, target_value,
    future_minutes, price_change_percent, target_direction,
    features, phases, params,
    local_model_path, is_active, activated_at
) VALUES (%s, 'text', 'random_forest', 'price_close', NULL, NULL, 10, 30, 'up', '["price_open"]', '[1]', '{{}}',
    '/models/model_1.zip', true, now()) RETURNING id
"""
INSERT_WRONG_HORIZON = """
INSERT INTO ml_models (name, model_type, target_variable, train_start, train_end, features, future_minutes)
VALUES ('Test', 'random_forest', 'price_close', NOW(), NOW(), '[]'::jsonb, {minutes})
"""


def test_published_inserts_when_run_as_written_then_they_work(database):
    with psycopg.connect(database, autocommit=True) as connection:
        model = connection.execute(INSERT_MODEL).fetchone()
        first = connection.execute(INSERT_TEST.format(accuracy=0.3), model).fetchone()
        assert connection.execute(INSERT_TEST.format(accuracy=0.4), model).fetchone() == first
        assert connection.execute("SELECT accuracy FROM ml_test_results").fetchall() == [(0.4,)]
        connection.execute(INSERT_ACTIVE.format(), model)
        with pytest.raises(CheckViolation, match="chk_future_minutes"):
            connection.execute(INSERT_WRONG_HORIZON.format(minutes=-5))
        connection.execute(INSERT_WRONG_HORIZON.format(minutes=5))


def test_wakeup_trigger_when_installed_twice_then_one_statement_notifies_once_with_a_constant(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("LISTEN coin_metrics_insert")
        for _ in range(2):
            run_script(database, SQL_FOLDER / "wakeup_trigger.sql")
        rows = "('A', now()), ('B', now())"
        connection.execute(
            f"BEGIN; {'; '.join([f'INSERT INTO coin_metrics (mint, timestamp) VALUES {rows}'] * 3)}; COMMIT"
        )
        assert [note.payload for note in connection.notifies(timeout=0.5)] == ["{}"]


def test_wakeup_trigger_when_it_was_disabled_then_it_is_enabled_again(database):
    run_script(database, SQL_FOLDER / "wakeup_trigger.sql")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE coin_metrics DISABLE TRIGGER pumpcast_wakeup")
        run_script(database, SQL_FOLDER / "wakeup_trigger.sql")
        assert connection.execute("SELECT tgenabled FROM pg_trigger WHERE tgname = 'pumpcast_wakeup'").fetchone() == (
            "O",
        )


def test_dev_tables_when_made_twice_then_rows_stay(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE ref_coin_phases SET name = 'changed' WHERE id = 1")
        run_script(database, SQL_FOLDER / "dev" / "coin_metrics.sql")
        rows = connection.execute("SELECT id, name, interval_seconds FROM ref_coin_phases ORDER BY id").fetchall()
    assert rows[0] == (1, "changed", 5)
    assert [(number, seconds) for number, _, seconds in rows] == [(1, 5), (2, 30), (3, 60), (99, 0), (100, 0)]


def test_document_when_rendered_from_the_database_then_it_is_the_one_in_docs(database):
    assert schema_document.PATH.read_text(encoding="utf-8") == schema_document.render(database), (
        "run: python -m tests.support.schema_document"
    )
