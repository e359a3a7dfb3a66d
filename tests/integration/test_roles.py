"""The database roles of the services: what each reaches, how they come to be, and that both services live with them."""

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from pumpcast.doctor import Check, look_inside
from pumpcast.doctor import _roles as examine_roles
from pumpcast.secret import new_pair
from shared.db import Connection
from shared.errors import Invalid, Unavailable
from shared.migrate import SQL_FOLDER, migrate, names, rollback, run_script
from shared.roles import ROLES, lacking, let_log_in, settle
from shared.signature import fingerprint
from tests.support.database import TestServer
from tests.support.receiver import Receiver
from tests.support.system import ask, system, whole_story

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
TRACKER = {"coin_metrics", "ref_coin_phases"}
OWNED = {
    "training": {"ml_comparisons", "ml_jobs", "ml_models", "ml_test_results", "ref_model_types"},
    "prediction": {
        "candle_feeds", "candles", "model_packages", "model_promotions", "package_seeds", "paper_accounts",
        "paper_equity_history", "paper_positions", "prediction_active_models", "prediction_batches",
        "prediction_calibration", "prediction_drift", "prediction_dues", "prediction_stats", "prediction_webhook_log",
        "predictions", "send_cooldowns", "webhook_deliveries", "webhook_endings", "webhook_endpoints",
        "worker_positions",
    },
}  # fmt: skip
TABLES = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p') AND relnamespace = 'public'::regnamespace"


def as_role(dsn: str, service: str) -> str:
    return dsn.replace("postgres@", f"{ROLES[service]}@")


@contextmanager
def logging_in(postgres: TestServer) -> Iterator[None]:
    """Let both roles in; they belong to the whole server, so that one test after the other changes them."""
    postgres.admin.execute("SELECT pg_advisory_lock(2)")
    try:
        for role in ROLES.values():
            postgres.admin.execute(SQL("ALTER ROLE {} LOGIN").format(Identifier(role)))
        yield
    finally:
        postgres.admin.execute("SELECT pg_advisory_unlock(2)")


def expected(service: str, table: str) -> set[str]:
    if table in OWNED[service]:
        return set(RIGHTS)
    return {"SELECT"} if table in TRACKER | {"_yoyo_migration"} else set()


def test_rights_when_every_role_meets_every_table_then_they_are_those_of_ownership(database: str):
    with psycopg.connect(database) as connection:
        tables = {name for (name,) in connection.execute(TABLES).fetchall()}
        ours = {name for name in tables if "yoyo" not in name} - TRACKER
        assert ours == OWNED["training"] | OWNED["prediction"], "a table without an owner: see pumpcast_owners"
        for service, table in itertools.product(ROLES, sorted(tables)):
            found = {
                right for right in (*RIGHTS, "TRUNCATE", "REFERENCES", "TRIGGER")
                if connection.execute(
                    "SELECT has_table_privilege(%s, %s::regclass, %s)", (ROLES[service], f'"{table}"', right)
                ).fetchone() == (True,)
            }  # fmt: skip
            assert (service, table, found) == (service, table, expected(service, table))


def test_rights_when_used_then_the_server_refuses_what_belongs_to_the_other(postgres: TestServer, database: str):
    with logging_in(postgres):
        for service, other in (("training", "prediction"), ("prediction", "training")):
            with psycopg.connect(as_role(database, service), autocommit=True) as connection:
                for table in sorted(OWNED[service]):
                    connection.execute(f"SELECT FROM {table} LIMIT 1")
                    connection.execute(f"SELECT FROM {table} LIMIT 1 FOR UPDATE")
                for table in sorted(OWNED[other]):
                    for statement in (f"SELECT FROM {table}", f"DELETE FROM {table}"):
                        with pytest.raises(psycopg.errors.InsufficientPrivilege):
                            connection.execute(statement)
                for table in TRACKER:
                    connection.execute(f"SELECT FROM {table} LIMIT 1")
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(f"DELETE FROM {table}")


def test_grants_when_the_tracker_comes_later_then_migrating_again_gives_them_and_the_trigger(empty_database: str):
    migrate(empty_database)
    assert settle(empty_database) == ["there is no coin_metrics yet: run this again when the tracker has made it"]
    assert lacking(empty_database) == []
    run_script(empty_database, SQL_FOLDER / "dev" / "coin_metrics.sql")
    assert [sentence.partition(" lacks ")[2] for sentence in lacking(empty_database)] == [
        "rights on coin_metrics, ref_coin_phases"
    ] * 2
    assert not examine_roles(empty_database).ok
    for _ in range(2):
        assert settle(empty_database) == []
        assert lacking(empty_database) == []
    with psycopg.connect(empty_database) as connection:
        triggers = connection.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'pumpcast_wakeup'")
        assert triggers.fetchall() == [("coin_metrics",)]


def test_rights_when_somebody_gave_too_many_then_doctor_tells_and_migrating_takes_them_back(database: str):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("GRANT SELECT ON ml_models TO pumpcast_prediction; GRANT INSERT ON predictions TO PUBLIC")
    assert lacking(database) == [
        "pumpcast_prediction reaches ml_models of the other service",
        "pumpcast_training reaches predictions of the other service",
    ]
    settle(database)
    assert lacking(database) == []


def test_rights_when_everybody_may_make_objects_as_on_older_servers_then_doctor_tells_what_to_run(database: str):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        said = lacking(database)
        assert [one.partition(" ")[0] for one in said] == ["pumpcast_training", "pumpcast_prediction"]
        connection.execute(said[0].partition(": ")[2])
    assert lacking(database) == []


@contextmanager
def plain_owner(postgres: TestServer) -> Iterator[str]:
    """Give the address of an empty database by a user that owns it and may do nothing else."""
    user = "plain_owner"
    postgres.admin.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(user)))
    try:
        with postgres.fresh("template0") as name:
            postgres.admin.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(Identifier(name), Identifier(user)))
            yield postgres.dsn(name).replace("postgres@", f"{user}@")
    finally:
        postgres.admin.execute(SQL("DROP ROLE {}").format(Identifier(user)))


def granting(*roles: str) -> str:
    """Give the function that grants, for other roles: those of the services are there on every server of the tests."""
    text = (SQL_FOLDER / "migrations" / "0008_roles.sql").read_text(encoding="utf-8")
    function = text[text.index("CREATE FUNCTION pumpcast_grant") : text.index("-- Tells whether")]
    array = ", ".join(f"'{role}'" for role in roles)
    own = "ARRAY['pumpcast_training', 'pumpcast_prediction']"
    assert own in function
    return function.replace("CREATE", "CREATE OR REPLACE", 1).replace(own, f"ARRAY[{array}]")


def test_migrate_when_the_user_may_not_make_roles_then_all_else_is_done_and_it_says_so(
    postgres: TestServer, tmp_path: Path
):
    with plain_owner(postgres) as dsn:
        assert migrate(dsn) == names()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(granting("nobody"))
            found = connection.execute("SELECT pumpcast_grant()").fetchall()
        assert found == [("there is no role nobody, and plain_owner may not create it",)]
        with pytest.raises(Unavailable, match="CREATEROLE"):
            let_log_in(dsn, folder_of(tmp_path, {"training": "one", "prediction": "two"}))


def folder_of(place: Path, passwords: dict[str, str]) -> Path:
    for service, password in passwords.items():
        (place / service).mkdir(parents=True, exist_ok=True)
        (place / service / "db_dsn").write_text(f"postgresql://{ROLES[service]}:{password}@127.0.0.1/x\n")
    return place


def test_roles_when_two_databases_make_them_at_once_then_both_succeed(postgres: TestServer):
    with postgres.fresh() as one, postgres.fresh() as two:
        role = f"race_{one}"
        try:
            with psycopg.connect(postgres.dsn(one)) as first, psycopg.connect(postgres.dsn(two)) as second:
                first.execute(granting(role))
                second.execute(granting(role))
                assert first.execute("SELECT pumpcast_grant()").fetchall() == []
                with ThreadPoolExecutor(1) as executor:
                    waiting = executor.submit(lambda: second.execute("SELECT pumpcast_grant()").fetchall())
                    until_waiting(postgres, two)
                    first.commit()
                    assert waiting.result(20) == []
        finally:
            for name in (one, two):
                with psycopg.connect(postgres.dsn(name)) as connection:
                    connection.execute(SQL("DROP OWNED BY {}").format(Identifier(role)))
            postgres.admin.execute(SQL("DROP ROLE {}").format(Identifier(role)))


def until_waiting(postgres: TestServer, name: str) -> None:
    """Wait until a session of a database waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    for _ in range(400):
        if postgres.admin.execute(query, (name,)).fetchone() == (1,):
            return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


def test_rollback_when_another_database_uses_the_roles_then_they_keep_their_rights_there(
    postgres: TestServer, database: str
):
    with postgres.fresh() as name:
        rollback(postgres.dsn(name), len(names()) - names().index("0008_roles"))
        with psycopg.connect(postgres.dsn(name)) as connection:
            query = "SELECT has_table_privilege('pumpcast_training', 'ml_models', 'SELECT')"
            assert connection.execute(query).fetchone() == (False,)
    assert lacking(database) == []


def test_logins_when_set_then_each_role_logs_in_with_its_password_alone(postgres: TestServer, tmp_path: Path):
    with postgres.fresh() as name, logging_in(postgres):
        let_log_in(postgres.dsn(name), folder_of(tmp_path, {"training": "one", "prediction": "two"}))
        address = f"127.0.0.1:{postgres.address.port}/{name}"
        for role, password in (("pumpcast_training", "one"), ("pumpcast_prediction", "two")):
            psycopg.connect(f"postgresql://{role}:{password}@{address}").close()
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(f"postgresql://{role}:wrong@{address}")


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "pumpcast keys install"), ("nonsense", "no address"), ("postgresql://me:p@h/x", "name the user")],
)
def test_logins_when_the_folder_is_wrong_then_it_says_which_file(tmp_path: Path, text: str | None, words: str):
    if text is not None:
        (tmp_path / "training").mkdir()
        (tmp_path / "training" / "db_dsn").write_text(text)
    with pytest.raises(Invalid, match=words):
        let_log_in("postgresql://nobody@/x?host=/nowhere", tmp_path)


def test_doctor_when_all_is_well_then_says_so(database: str):
    assert examine_roles(database) == Check(
        part="roles of the services", ok=True, found="each reaches its own tables alone"
    )


async def test_services_when_each_has_its_own_role_then_a_model_lives_from_training_to_outcome(
    postgres: TestServer, database: str, connection: Connection, there: Receiver, tmp_path: Path
):
    assert settle(database) == []
    private, public = new_pair()
    addresses = as_role(database, "training"), as_role(database, "prediction")
    with logging_in(postgres):
        async with system(*addresses, tmp_path, signing_key=private, artifact_public_key=(public,)) as running:
            shown = await whole_story(running, connection, there)
            card = await ask(running.training, "GET", f"/models/{shown['model_id']}/card")
            assert card["lineage"]["signed_by"] == fingerprint(public)
            found = {check.part: check for check in await look_inside(addresses[1])}
            assert found["trigger pumpcast_wakeup"].ok
    assert shown["is_active"]
    assert await connection.fetchval("SELECT outcome FROM predictions ORDER BY id LIMIT 1") in {"tp", "fp", "tn", "fn"}
