import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation, UniqueViolation

from shared import migrate as migrations
from shared.cluster import program
from shared.errors import Unavailable
from shared.migrate import SQL_FOLDER, MigrationFailed, migrate, names, pending, rollback, run_script
from tests.support import schema_document
from tests.support.schema_rows import VALID, fill, insert

ROOT = Path(__file__).resolve().parents[2]
ALL = ["0001_training", "0002_prediction", "0003_packages", "0004_wakeup"]
NOT_OURS = ("_yoyo_*", "yoyo_*", "coin_metrics*", "ref_coin_phases*")


def dump(dsn: str) -> str:
    """Give the statements that make our tables."""
    excluded = [f"--exclude-table={pattern}" for pattern in NOT_OURS]
    command = [program("pg_dump"), "--schema-only", "--no-owner", *excluded, dsn]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # These two lines carry a key that is new each time.
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def model_types(dsn: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT * FROM ref_model_types ORDER BY name").fetchall()


@pytest.fixture
def another_empty_database(postgres):
    with postgres.fresh("template0") as name:
        yield postgres.dsn(name)


def test_schema_file_when_run_then_it_equals_the_replayed_migrations(empty_database, another_empty_database):
    assert migrate(empty_database) == ALL
    run_script(another_empty_database, SQL_FOLDER / "schema.sql")
    assert "CREATE TABLE public.predictions" in dump(empty_database)
    assert dump(empty_database) == dump(another_empty_database)
    assert model_types(empty_database) == model_types(another_empty_database)


def test_migrate_when_either_way_of_connecting_then_only_what_is_missing_runs(any_database):
    assert pending(any_database) == []
    assert migrate(any_database) == []
    assert rollback(any_database, 2) == ["0004_wakeup", "0003_packages"]
    assert pending(any_database) == ["0003_packages", "0004_wakeup"]
    assert migrate(any_database) == ["0003_packages", "0004_wakeup"]


def test_pending_when_database_is_empty_then_all_are_named_and_nothing_is_made(empty_database):
    assert pending(empty_database) == names() == ALL
    with psycopg.connect(empty_database) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)


def test_rollback_when_all_are_undone_then_nothing_is_left_and_forward_is_the_same_again(empty_database):
    before = dump(empty_database)
    migrate(empty_database)
    whole = dump(empty_database)
    assert rollback(empty_database, 99) == ALL[::-1]
    assert dump(empty_database) == before
    assert migrate(empty_database) == ALL
    assert dump(empty_database) == whole


@pytest.mark.parametrize("count", range(1, len(ALL) + 1))
def test_rollback_when_tables_hold_rows_then_back_and_forward_works_and_older_tables_keep_theirs(database, count):
    run_script(database, SQL_FOLDER / "wakeup_trigger.sql")
    whole = dump(database)
    with psycopg.connect(database) as connection:
        fill(connection)
    assert rollback(database, count) == ALL[::-1][:count]
    assert migrate(database) == ALL[-count:]
    assert dump(database) == whole
    with psycopg.connect(database) as connection:
        kept = connection.execute("SELECT count(*) FROM predictions").fetchone()
        assert kept == (1 if count <= 2 else 0,)
        if count == len(ALL):
            fill(connection)


def test_migrate_when_several_processes_start_at_once_then_each_migration_runs_once(empty_database):
    with ThreadPoolExecutor(4) as executor:
        outcomes = list(executor.map(migrate, [empty_database] * 4))
    assert sorted(outcomes) == [[], [], [], ALL]


def test_migrate_when_a_killed_process_left_the_lock_of_yoyo_then_it_does_not_wait(empty_database):
    migrate(empty_database)
    rollback(empty_database, 1)
    with psycopg.connect(empty_database) as connection:
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
    assert migrate(empty_database) == ["0004_wakeup"]


def test_migrate_when_one_fails_then_nothing_of_it_stays_and_the_message_names_it(empty_database):
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE TABLE candles ()")
    with pytest.raises(MigrationFailed, match=r"0003_packages.*candles"):
        migrate(empty_database)
    assert pending(empty_database) == ["0003_packages", "0004_wakeup"]
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT to_regclass('model_packages')").fetchone() == (None,)
        connection.execute("DROP TABLE candles")
    assert migrate(empty_database) == ["0003_packages", "0004_wakeup"]


@pytest.fixture
def stranger(postgres):
    """Give the name of a user without any right."""
    postgres.admin.execute("CREATE ROLE pumpcast_stranger LOGIN")
    yield "pumpcast_stranger"
    postgres.admin.execute("DROP ROLE pumpcast_stranger")


def test_migrate_when_user_may_not_create_tables_then_the_message_says_so(empty_database, stranger):
    with pytest.raises(MigrationFailed, match="refused"):
        migrate(empty_database.replace("postgres@", f"{stranger}@"))


def test_pending_when_user_may_not_read_then_the_message_says_so(database, stranger):
    with pytest.raises(Unavailable, match="may not see"):
        pending(database.replace("postgres@", f"{stranger}@"))


@pytest.mark.parametrize(
    "dsn", ["postgresql://u@127.0.0.1:1/name", "postgresql://u@/name?host=/nowhere", "not an address"]
)
def test_migrate_when_server_is_not_there_then_it_is_unavailable(dsn):
    for call in (migrate, pending, rollback):
        with pytest.raises(Unavailable, match="DB_DSN"):
            call(dsn)


def test_migrate_when_name_of_database_must_be_quoted_then_it_works(postgres):
    with postgres.fresh("template0") as name:
        postgres.admin.execute(f'ALTER DATABASE "{name}" RENAME TO "odd name/{name}"')
        assert migrate(postgres.dsn(f"odd%20name%2F{name}")) == ALL
        postgres.admin.execute(f'ALTER DATABASE "odd name/{name}" RENAME TO "{name}"')


def test_migrate_when_packages_are_copied_elsewhere_then_the_files_are_found_beside_them(tmp_path, empty_database):
    for part in ("shared", "sql"):
        subprocess.run(["cp", "-r", str(ROOT / part), str(tmp_path)], check=True)
    script = "import sys; from shared.migrate import migrate; print(*migrate(sys.argv[1]))"
    command = [sys.executable, "-c", script, empty_database]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ALL


def test_every_migration_when_listed_then_it_has_a_rollback():
    for name in names():
        assert (migrations.MIGRATIONS_FOLDER / f"{name}.rollback.sql").is_file()


# What each CHECK refuses, as a change of the valid row of its table.
REFUSED = {
    "ref_model_types": {
        "chk_model_type": ["name = 'svm'"],
        "chk_default_params": ["default_params = '[]'"],
    },
    "ml_models": {
        "chk_models_name": ["name = ''", "name = repeat('x', 201)"],
        "chk_models_status": ["status = 'ready'"],
        "chk_target_operator": ["target_operator = '!=', target_value = 1, future_minutes = NULL"],
        "chk_target_rule": ["target_value = 1", "target_operator = '>', future_minutes = NULL"],
        "chk_target_kind": ["target_operator = '>', target_value = 1"],
        "chk_target_value": [
            "target_operator = '>', future_minutes = NULL, target_value = 'NaN'",
            "target_operator = '>', future_minutes = NULL, target_value = '-Infinity'",
        ],
        "chk_future_minutes": ["future_minutes = 0", "future_minutes = -5"],
        "chk_price_change_percent": ["price_change_percent = 0", "price_change_percent = 'NaN'"],
        "chk_target_direction": ["target_direction = 'sideways'"],
        "chk_label_mode": ["label_mode = 'later'"],
        "chk_label_resolution": ["label_resolution = 'guessed'"],
        "chk_train_window": ["train_end = train_start - interval '1 second'"],
        "chk_features": ["features = '{}'"],
        "chk_phases": ["phases = '1'"],
        "chk_params": ["params = '[]'"],
        "chk_training_accuracy": ["training_accuracy = 1.01", "training_accuracy = 'NaN'"],
        "chk_training_f1": ["training_f1 = -0.01"],
        "chk_training_precision": ["training_precision = 2"],
        "chk_training_recall": ["training_recall = 2"],
        "chk_roc_auc": ["roc_auc = 1.5"],
        "chk_mcc": ["mcc = -1.5"],
        "chk_fpr": ["fpr = 2"],
        "chk_fnr": ["fnr = 2"],
        "chk_confusion_matrix": ["confusion_matrix = '{\"tp\": 1}'", "confusion_matrix = '[]'"],
        "chk_decision_threshold": ["decision_threshold = 1.1"],
        "chk_alert_threshold": ["alert_threshold = -0.1"],
        "chk_cv_scores": ["cv_scores = '1'"],
        "chk_cv_overfitting_gap": ["cv_overfitting_gap = 1.5"],
        "chk_feature_importance": ["feature_importance = '[]'"],
        "chk_metrics": ["metrics = '[]'"],
        "chk_card": ["card = '[]'"],
        "chk_warnings": ["warnings = '{}'"],
        "chk_model_file_sha256": ["model_file_sha256 = 'abc'", "model_file_sha256 = upper(repeat('a', 64))"],
    },
    "ml_test_results": {
        "chk_test_window": ["test_end = test_start - interval '1 second'"],
        "chk_test_accuracy": ["accuracy = 1.1"],
        "chk_test_f1_score": ["f1_score = 1.1"],
        "chk_test_precision_score": ["precision_score = 1.1"],
        "chk_test_recall": ["recall = 1.1"],
        "chk_test_roc_auc": ["roc_auc = 'NaN'"],
        "chk_test_mcc": ["mcc = 1.1"],
        "chk_test_fpr": ["fpr = 1.1"],
        "chk_test_fnr": ["fnr = 1.1"],
        "chk_test_confusion_matrix": ["confusion_matrix = '{}'"],
        "chk_test_counts": ["tp = -1, tn = 4", "num_positive = -1, num_negative = 11"],
        "chk_test_cells": ["tp = 2"],
        "chk_test_classes": ["num_positive = 6"],
        "chk_train_accuracy": ["train_accuracy = 1.1"],
        "chk_train_f1": ["train_f1 = 1.1"],
        "chk_train_precision": ["train_precision = 1.1"],
        "chk_train_recall": ["train_recall = 1.1"],
        "chk_accuracy_degradation": ["accuracy_degradation = 1.1"],
        "chk_f1_degradation": ["f1_degradation = -1.1"],
        "chk_test_duration_days": ["test_duration_days = -1"],
        "chk_test_metrics": ["metrics = '1'"],
        "chk_test_warnings": ["warnings = '1'"],
    },
    "ml_comparisons": {
        "chk_comparison_models": ["model_ids = '[1]'", "model_ids = '[1,2,3,4,5,6]'", "model_ids = '{}'"],
        "chk_comparison_window": ["test_end = test_start - interval '1 second'"],
        "chk_comparison_tests": ["test_result_ids = '{}'"],
        "chk_comparison_results": ["results = '[]'"],
        "chk_comparison_warnings": ["warnings = '{}'"],
    },
    "ml_jobs": {
        "chk_job_type": ["job_type = 'DREAM'"],
        "chk_job_status": ["status = 'DONE'"],
        "chk_job_priority": ["priority = -1", "priority = 101"],
        "chk_job_progress": ["progress = 1.1", "progress = -0.1"],
        "chk_job_warnings": ["warnings = '{}'"],
        "chk_job_log": ["log = '{}'"],
        "chk_job_request": ["request = '[]'"],
        "chk_job_attempts": ["attempts = -1"],
        "chk_job_lost_leases": ["lost_leases = -1"],
        "chk_job_lease_token": ["lease_token = -1"],
        "chk_job_running_leased": ["status = 'RUNNING'"],
        "chk_job_operator": ["train_operator = '=='"],
        "chk_job_train_window": ["train_end = train_start - interval '1 second'"],
        "chk_job_train_features": ["train_features = '{}'"],
        "chk_job_train_phases": ["train_phases = '{}'"],
        "chk_job_train_params": ["train_params = '[]'"],
        "chk_job_future_minutes": ["train_future_minutes = 0"],
        "chk_job_price_change_percent": ["train_price_change_percent = 'Infinity'"],
        "chk_job_target_direction": ["train_target_direction = ''"],
        "chk_job_test_window": ["test_end = test_start - interval '1 second'"],
    },
    "prediction_active_models": {
        "chk_active_custom_name": ["custom_name = ''"],
        "chk_active_model_type": ["model_type = 'svm'"],
        "chk_active_target_operator": ["target_operator = '!=', target_value = 1, future_minutes = NULL"],
        "chk_active_target_rule": ["target_value = 1"],
        "chk_active_target_kind": ["target_operator = '>', target_value = 1"],
        "chk_active_target_value": ["target_operator = '>', future_minutes = NULL, target_value = 'Infinity'"],
        "chk_active_future_minutes": ["future_minutes = 0"],
        "chk_active_price_change_percent": ["price_change_percent = -1"],
        "chk_active_target_direction": ["target_direction = 'UP'"],
        "chk_active_features": ["features = '{}'"],
        "chk_active_phases": ["phases = '{}'"],
        "chk_active_params": ["params = '[]'"],
        "chk_active_sha256": ["model_file_sha256 = ''"],
        "chk_active_manifest": ["manifest = '[]'"],
        "chk_active_since": ["activated_at = NULL"],
        "chk_active_activation": ['activation = \'{"high": "5", "pending": []}\''],
        "chk_active_decision_threshold": ["decision_threshold = 1.1"],
        "chk_active_alert_threshold": ["alert_threshold = 1.1"],
        "chk_active_send_modes": ["send_modes = '{}'", "send_modes = '{all,some}'"],
        "chk_active_cooldown_negative": ["cooldown_negative_seconds = -1"],
        "chk_active_cooldown_positive": ["cooldown_positive_seconds = -1"],
        "chk_active_cooldown_alert": ["cooldown_alert_seconds = -1"],
        "chk_active_coin_filter_mode": ["coin_filter_mode = 'blacklist'"],
        "chk_active_coin_whitelist": ["coin_whitelist = '{NULL}'"],
        "chk_active_mode": ["mode = 'dead'"],
    },
    "predictions": {
        "chk_prediction": ["prediction = 2", "prediction = -1"],
        "chk_probability": ["probability = 1.000001", "probability = 'NaN'"],
        "chk_threshold": ["threshold = -0.1"],
        "chk_prediction_duration_ms": ["prediction_duration_ms = -1"],
        "chk_outcome": ["outcome = 'TP', evaluated_at = now()"],
        "chk_outcome_time": ["outcome = 'tp'", "evaluated_at = now()"],
    },
    "prediction_stats": {
        "chk_stats_counts": ["positives = 11", "predictions = -1, positives = -1"],
        "chk_stats_outcomes": ["tp = 7", "alert_tp = 2", "fn = -1"],
    },
    "webhook_endpoints": {
        "chk_webhook_url": ["url = 'ftp://example.com'", "url = 'https://' || repeat('x', 2048)"],
        "chk_webhook_headers": ["headers = '[]'"],
        "chk_webhook_secret": ["secret = ''"],
        "chk_webhook_models": ["active_model_ids = '{}'"],
        "chk_webhook_send_modes": ["send_modes = '{none}'"],
        "chk_webhook_expires_after_seconds": ["expires_after_seconds = 0"],
    },
    "webhook_deliveries": {
        "chk_delivery_event_type": ["event_type = 'prediction'"],
        "chk_delivery_status": ["status = 'lost'"],
        "chk_delivery_attempts": ["attempts = -1"],
        "chk_delivery_status_code": ["last_status_code = 99", "last_status_code = 600"],
        "chk_delivery_delivered": ["status = 'delivered'", "delivered_at = now()"],
    },
    "prediction_webhook_log": {
        "chk_webhook_log_attempt": ["attempt = 0"],
        "chk_webhook_log_status_code": ["status_code = 0"],
        "chk_webhook_log_duration_ms": ["duration_ms = -1"],
        "chk_webhook_log_response": ["response = repeat('x', 2049)", "response = repeat('ü', 1025)"],
    },
    "model_promotions": {
        "chk_promotion_action": ["action = 'demote'"],
        "chk_promotion_metrics": ["metrics = '[]'"],
    },
    "worker_positions": {
        "chk_position_name": ["name = ''"],
        "chk_position_high": ["high = -1"],
        "chk_position_pending": ["pending = '{}'"],
        "chk_position_models_version": ["models_version = -1"],
        "chk_position_counters": ["counters = '[]'"],
        "chk_position_status": ["status = '[]'"],
    },
    "model_packages": {
        "chk_package_id": ["id = 'PPO v1'", "id = '../x'"],
        "chk_package_name": ["name = ''"],
        "chk_package_forecast_sha256": ["forecast_sha256 = 'x'"],
        "chk_package_ppo_sha256": ["ppo_sha256 = 'x'"],
        "chk_package_manifest": ["manifest = '[]'"],
        "chk_package_status": ["status = 'DELETED'"],
        "chk_warmup_status": ["warmup_status = 'ERROR'"],
        "chk_warmup_error": ["warmup_status = 'RUNNING', warmup_error = 'x'"],
        "chk_warmup_completed_at": ["warmup_status = 'DONE'", "warmup_completed_at = now()"],
    },
    "candles": {
        "chk_candle_symbol": ["symbol = ''"],
        "chk_candle_interval": ["interval = '15 min'", "interval = '0m'"],
        "chk_candle_prices": ["low = 0", "high = 2.5", "low = 2.5", "close = 'NaN'", "high = 'Infinity'"],
        "chk_candle_volume": ["volume = -1", "volume = 'NaN'"],
    },
    "paper_accounts": {
        "chk_account_id": ["id = 'ppo_v1'"],
        "chk_account_initial_balance": ["initial_balance = 0"],
        "chk_account_balance": ["balance = 'NaN'"],
        "chk_account_leverage": ["leverage = 0.5", "leverage = 126"],
        "chk_account_size_pct": ["size_pct = 0", "size_pct = 101"],
        "chk_account_min_size_usdt": ["min_size_usdt = -1"],
        "chk_account_max_positions": ["max_positions = 0"],
        "chk_account_max_exposure_pct": ["max_exposure_pct = 101"],
        "chk_account_take_profit_pct": ["take_profit_pct = 0"],
        "chk_account_stop_loss_pct": ["stop_loss_pct = 101"],
        "chk_account_max_hours": ["max_hours = 0"],
        "chk_account_fee_pct": ["fee_pct = -0.1"],
        "chk_account_min_confidence": ["min_confidence = 101"],
    },
    "paper_positions": {
        "chk_position_symbol": ["symbol = ''"],
        "chk_position_side": ["side = 'FLAT'"],
        "chk_position_status": ["status = 'HALF'"],
        "chk_position_size_usdt": ["size_usdt = 0"],
        "chk_position_margin": ["margin = 0"],
        "chk_position_leverage": ["leverage = 0"],
        "chk_position_entry_price": ["entry_price = 0"],
        "chk_position_current_price": ["current_price = 'NaN'"],
        "chk_position_exit_price": [
            "exit_price = 0, status = 'CLOSED', pnl = 1, close_reason = 'TP', closed_at = opened_at"
        ],
        "chk_position_take_profit_pct": ["take_profit_pct = 0"],
        "chk_position_stop_loss_pct": ["stop_loss_pct = 0"],
        "chk_position_confidence": ["confidence = 101"],
        "chk_position_pnl": [
            "exit_price = 1, status = 'CLOSED', pnl = 'NaN', close_reason = 'TP', closed_at = opened_at"
        ],
        "chk_position_fees": ["fees = -1"],
        "chk_position_close_reason": [
            "exit_price = 1, status = 'CLOSED', pnl = 1, close_reason = 'BORED', closed_at = opened_at"
        ],
        "chk_position_closed": ["status = 'CLOSED'", "pnl = 1", "close_reason = 'TP'"],
        "chk_position_expiry": ["expires_at = opened_at - interval '1 second'"],
        "chk_position_window": [
            "exit_price = 1, status = 'CLOSED', pnl = 1, close_reason = 'TP', closed_at = opened_at - interval '1 day'"
        ],
    },
    "paper_equity_history": {
        "chk_equity_open_positions": ["open_positions = -1"],
        "chk_equity_balance": ["balance = 'Infinity'"],
        "chk_equity_equity": ["equity = 'NaN'"],
    },
}


@pytest.mark.parametrize("table", REFUSED)
def test_checks_of_a_table_when_values_are_out_of_bounds_then_each_refuses(database, table):
    with psycopg.connect(database, autocommit=True) as connection:
        fill(connection)
        names_of_checks = connection.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", (table,)
        ).fetchall()
        assert {name for (name,) in names_of_checks} == set(REFUSED[table]), "every check needs its case"
        if table == "ref_model_types":
            # Referenced by rows of other tables, which would refuse a new name first.
            connection.execute("TRUNCATE ref_model_types CASCADE")
            connection.execute("INSERT INTO ref_model_types VALUES ('xgboost', '', '')")
        for check, changes in REFUSED[table].items():
            for change in changes:
                with pytest.raises(CheckViolation) as refusal:
                    connection.execute(f"UPDATE {table} SET {change}")
                assert refusal.value.diag.constraint_name == check, change


def test_checks_when_every_table_is_looked_at_then_all_are_covered(database):
    assert set(REFUSED) == {"ref_model_types", *VALID}
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    ours = {name for (name,) in tables if "yoyo" not in name} - {"coin_metrics", "ref_coin_phases"}
    assert ours == set(REFUSED)


ALLOWED = [
    "UPDATE ml_models SET train_end = train_start, target_value = NULL",
    "UPDATE ml_models SET future_minutes = NULL, target_operator = '>=', target_value = 3e-8",
    "UPDATE ml_jobs SET status = 'RUNNING', worker_id = 'w', lease_expires_at = now(), priority = 100, progress = 1",
    "UPDATE ml_test_results SET roc_auc = NULL, mcc = NULL, accuracy_degradation = -1",
    "UPDATE predictions SET outcome = 'unresolved', evaluated_at = now(), phase_id_at_time = NULL, probability = 0",
    "UPDATE prediction_active_models SET is_active = false, send_modes = '{positive_only,all}', phases = NULL",
    "UPDATE webhook_deliveries SET status = 'delivered', delivered_at = now(), last_status_code = 204",
    "UPDATE model_packages SET warmup_status = 'DONE', warmup_completed_at = now()",
    "UPDATE model_packages SET warmup_status = 'PENDING', warmup_completed_at = NULL, warmup_error = 'have 3 of 1500'",
    "UPDATE paper_positions SET status = 'CLOSED', exit_price = 2, pnl = 0, close_reason = 'SL', closed_at = opened_at",
]


def test_checks_when_values_are_at_their_bounds_then_they_are_taken(database):
    with psycopg.connect(database, autocommit=True) as connection:
        fill(connection)
        for statement in ALLOWED:
            assert connection.execute(statement).rowcount == 1


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
