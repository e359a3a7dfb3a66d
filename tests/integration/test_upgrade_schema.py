"""Upgrades of a filled database: nothing is lost on the way, and the version before works on while processes change."""

import json
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from shared.migrate import migrate, names, rollback
from tests.support.schema_rows import VALID, fill

FIRST_ROLLING = "0007_packages"
"""From this version on the database is migrated beside running processes; an older one while they are stopped."""
REWRITTEN_BY = {
    "0006_live": {"worker_positions", "prediction_stats", "predictions"},
    "0007_packages": {"model_packages"},
}  # fmt: skip
"""What a migration means to change in rows that are there; its own test tells how."""
_COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES'
    OR is_generated = 'ALWAYS'
FROM information_schema.columns WHERE table_schema = 'public' AND table_name = ANY(%s)
"""
_KEYS = """
SELECT indrelid::regclass::text, array_agg(attname::text ORDER BY attname)::text, pg_get_expr(indpred, indrelid)
FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
WHERE indisunique AND indrelid::regclass::text = ANY(%s) GROUP BY indexrelid, indrelid, indpred
"""
OURS = [*VALID, "ref_model_types"]

Columns = dict[str, dict[str, tuple[str, bool]]]


def columns(connection: psycopg.Connection[Any]) -> Columns:
    """Give the columns of our tables: type, and whether a row may be written without it."""
    found: Columns = {}
    for table, column, kind, optional in connection.execute(_COLUMNS, (OURS,)):
        found.setdefault(table, {})[column] = (kind, optional)
    return found


def keys(connection: psycopg.Connection[Any]) -> set[tuple[str, ...]]:
    """Give what ON CONFLICT may name."""
    return set(connection.execute(_KEYS, (OURS,)).fetchall())


def rows(connection: psycopg.Connection[Any], known: Columns) -> dict[str, list[str]]:
    """Give the rows of the tables, only the columns that are known."""
    found = {}
    for table, of_table in known.items():
        query = SQL("SELECT ROW({})::text FROM {} ORDER BY 1").format(
            SQL(", ").join(map(Identifier, of_table)), Identifier(table)
        )
        found[table] = [row[0] for row in connection.execute(query)]
    return found


def write(connection: psycopg.Connection[Any], table: str, known: list[str]) -> None:
    """Insert the valid row of a table as a service does that knows these columns."""
    values = [VALID[table][name] for name in known]
    connection.execute(
        SQL("INSERT INTO {} ({}) VALUES ({})").format(
            Identifier(table), SQL(", ").join(map(Identifier, known)), SQL(", ").join([SQL("%s")] * len(known))
        ),
        [json.dumps(value) if isinstance(value, dict | list) else value for value in values],
    )


@pytest.mark.parametrize("version", names()[1:-1])
def test_upgrade_when_tables_hold_rows_then_each_row_is_there_as_it_was(database: str, version: str):
    with psycopg.connect(database) as connection:
        fill(connection)
    rollback(database, len(names()) - 1 - names().index(version))
    with psycopg.connect(database) as connection:
        known = columns(connection)
        before = rows(connection, known)
    migrate(database)
    with psycopg.connect(database) as connection:
        after = rows(connection, known)
    later = names()[names().index(version) + 1 :]
    rewritten = {table for name in later for table in REWRITTEN_BY.get(name, ())}
    for table in before.keys() - rewritten:
        assert after[table] == before[table], table


def test_schema_when_newer_than_a_running_service_then_what_that_reads_and_writes_still_works(database: str):
    """Columns keep names and types, new ones may be left out, keys stay, and rows of then are rows of now."""
    with psycopg.connect(database) as connection:
        now, keys_now = columns(connection), keys(connection)
    for version in reversed(names()[names().index(FIRST_ROLLING) : -1]):
        rollback(database, len(names()) - 1 - names().index(version))
        with psycopg.connect(database) as connection:
            then, keys_then = columns(connection), keys(connection)
        migrate(database)
        assert keys_then <= keys_now, version
        for table, of_table in then.items():
            assert {name: kind for name, (kind, _) in of_table.items()}.items() <= {
                name: kind for name, (kind, _) in now[table].items()
            }.items(), (version, table)
            added = {name: optional for name, (_, optional) in now[table].items() if name not in of_table}
            assert all(added.values()), (version, table, added)
        with psycopg.connect(database) as connection:
            # Numbers of the round before are used up: what refers to them is not what is looked at.
            connection.execute("SET session_replication_role = replica")
            for table in VALID:
                if table in then:
                    write(connection, table, [name for name in VALID[table] if name in then[table]])
            connection.rollback()
