import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from shared import migrate as migrations
from shared.cluster import program
from shared.errors import Unavailable
from shared.migrate import SQL_FOLDER, MigrationFailed, migrate, names, pending, rollback, run_script
from tests.support.schema_rows import fill

ROOT = Path(__file__).resolve().parents[2]
ALL = [
    "0001_training", "0002_prediction", "0003_packages", "0004_wakeup", "0005_results", "0006_live", "0007_packages",
    "0008_roles", "0009_request_ids", "0010_job_endings",
]  # fmt: skip
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
    last = ALL[4:]
    assert rollback(any_database, len(last)) == last[::-1]
    assert pending(any_database) == last
    assert migrate(any_database) == last


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
        assert kept == (0 if "0002_prediction" in ALL[-count:] else 1,)
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
    assert migrate(empty_database) == ALL[-1:]


def test_migrate_when_one_fails_then_nothing_of_it_stays_and_the_message_names_it(empty_database):
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE TABLE candles ()")
    with pytest.raises(MigrationFailed, match=r"0003_packages.*candles"):
        migrate(empty_database)
    assert pending(empty_database) == ALL[2:]
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT to_regclass('model_packages')").fetchone() == (None,)
        connection.execute("DROP TABLE candles")
    assert migrate(empty_database) == ALL[2:]


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
