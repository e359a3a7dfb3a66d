from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import CheckViolation

from tests.support.database import TestServer
from tests.support.schema_checks import REFUSED
from tests.support.schema_rows import VALID, fill

Inside = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def connected(postgres: TestServer) -> Iterator[Inside]:
    with postgres.fresh() as name, psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
        fill(connection)
        yield connection


@pytest.fixture
def filled(connected: Inside) -> Iterator[Inside]:
    """Give a database with one row in every table; what a test changes in it is undone."""
    with connected.transaction(force_rollback=True):
        yield connected


@pytest.mark.parametrize("table", REFUSED)
def test_checks_of_a_table_when_values_are_out_of_bounds_then_each_refuses(filled: Inside, table: str):
    names_of_checks = filled.execute(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", (table,)
    ).fetchall()
    assert {name for (name,) in names_of_checks} == set(REFUSED[table]), "every check needs its case"
    if table == "ref_model_types":
        # Referenced by rows of other tables, which would refuse a new name first.
        filled.execute("TRUNCATE ref_model_types CASCADE")
        filled.execute("INSERT INTO ref_model_types VALUES ('xgboost', '', '')")
    if table == "model_promotions":
        filled.execute("ALTER TABLE model_promotions DISABLE TRIGGER append_only")
    for check, changes in REFUSED[table].items():
        for change in changes:
            with pytest.raises(CheckViolation) as refusal, filled.transaction():
                filled.execute(f"UPDATE {table} SET {change}")
            assert refusal.value.diag.constraint_name == check, change


def test_checks_when_every_table_is_looked_at_then_all_are_covered(filled: Inside):
    assert set(REFUSED) == {"ref_model_types", *VALID}
    tables = filled.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
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
    "UPDATE model_packages SET warmup_status = 'DONE', warmup_completed_at = now(), validated_at = now()",
    "UPDATE model_packages SET warmup_status = 'PENDING', warmup_completed_at = NULL, warmup_error = 'have 3 of 1500'",
    "UPDATE paper_positions SET status = 'CLOSED', exit_price = 2, pnl = 0, close_reason = 'SL', closed_at = opened_at",
]


def test_checks_when_values_are_at_their_bounds_then_they_are_taken(filled: Inside):
    for statement in ALLOWED:
        assert filled.execute(statement).rowcount == 1
