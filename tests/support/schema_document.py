"""Makes docs/DATABASE_SCHEMA.md: `python -m tests.support.schema_document`.

What columns and indexes are comes from a database, what they mean from the comments of sql/schema.sql.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from shared.migrate import SQL_FOLDER
from tests.support.database import TEMPLATE, remove, test_server

PATH = Path(__file__).resolve().parents[2] / "docs" / "DATABASE_SCHEMA.md"
MARK = "<!-- Everything below is made by `python -m tests.support.schema_document`. -->\n"
_TABLES = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       CASE WHEN a.attidentity <> '' THEN 'identity'
            ELSE btrim(regexp_replace(pg_get_expr(d.adbin, d.adrelid), '\\s+', ' ', 'g')) END
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_INDEXES = """
SELECT c.relname, i.indisunique, am.amname,
       regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING [a-z]+ (.*)$', '\\1'), i.indisprimary
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
WHERE i.indrelid = %s::regclass ORDER BY NOT i.indisprimary, c.relname
"""
_CHECKS = """
SELECT conname, pg_get_constraintdef(oid, true) FROM pg_constraint
WHERE contype = 'c' AND conrelid = %s::regclass ORDER BY conname
"""
_KEYS = """
SELECT a.attname, format_type(a.atttypid, NULL), bool_or(k.contype = 'p'), bool_or(k.contype = 'f')
FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
WHERE k.contype IN ('p', 'f') AND k.conrelid = %s::regclass GROUP BY a.attnum, 1, 2 ORDER BY a.attnum
"""
# What belongs together without a foreign key: across the services, or where rows outlive what they name.
LOGICAL = (
    ("ml_models", "prediction_active_models", "model_id"),
    ("ml_jobs", "ml_models", "job_id"),
    ("prediction_active_models", "predictions", "active_model_id"),
    ("prediction_active_models", "prediction_dues", "active_model_id"),
    ("prediction_active_models", "prediction_stats", "active_model_id"),
    ("prediction_active_models", "prediction_calibration", "active_model_id"),
    ("prediction_active_models", "prediction_drift", "active_model_id"),
    ("prediction_active_models", "send_cooldowns", "active_model_id"),
    ("prediction_active_models", "model_promotions", "active_model_id"),
    ("model_packages", "package_seeds", "id"),
    ("model_packages", "paper_accounts", "package_id"),
    ("candle_feeds", "candles", "symbol"),
)
_LINKS = """
SELECT conrelid::regclass::text, confrelid::regclass::text, a.attname
FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype = 'f' ORDER BY 1, 3
"""


def meanings() -> dict[str, str]:
    """Give what schema.sql says: `table` and `table.column` and the names of indexes and unique constraints."""
    found: dict[str, str] = {}
    table, above = "", ""
    for line in (SQL_FOLDER / "schema.sql").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\s*-- (.*)$", line):
            above = f"{above} {match[1]}".strip()
            continue
        if match := re.match(r"CREATE TABLE (\w+)", line):
            table = found_table = match[1]
            found[found_table] = above
        elif match := re.match(r"CREATE (?:UNIQUE )?INDEX (\w+)|\s+CONSTRAINT (uq_\w+)", line):
            found[match[1] or match[2]] = above
        elif match := re.match(r"    (\w+) .* -- (.*)$", line):
            found[f"{table}.{match[1]}"] = match[2]
        above = ""
    return found


def render(dsn: str) -> str:
    """Give the whole document; its first part, written by hand, is kept."""
    kept = PATH.read_text(encoding="utf-8").partition(MARK)[0]
    meaning = meanings()
    with psycopg.connect(dsn) as connection:
        tables = [name for (name,) in connection.execute(_TABLES).fetchall() if name in meaning]
        ordered = [name for name in meaning if name in tables]
        parts = [_diagram(connection, ordered), _index_overview(connection, ordered, meaning)]
        parts += [_table(connection, name, meaning) for name in ordered]
    return kept + MARK + "\n" + "\n".join(parts)


def _diagram(connection: psycopg.Connection[Any], tables: list[str]) -> str:
    links = connection.execute(_LINKS).fetchall()
    lines = [f'    {other} ||--o{{ {table} : "{column}"' for table, other, column in links]
    for other, table, column in LOGICAL:
        found = connection.execute(_COLUMNS, (table,)).fetchall()
        assert column in [name for name, *_ in found], f"{table} has no column {column}"
        lines.append(f'    {other} |o..o{{ {table} : "{column}"')
    for table in tables:
        lines.append(f"    {table} {{")
        for column, kind, is_primary, is_foreign in connection.execute(_KEYS, (table,)).fetchall():
            keys = ", ".join(["PK"] * is_primary + ["FK"] * is_foreign)
            lines.append(f"        {kind.replace(' ', '_')} {column} {keys}")
        lines.append("    }")
    words = (
        "Solid lines are foreign keys. Dotted ones are none: rows outlive what they name, or the other service owns it."
    )
    return "\n".join(["## How tables belong together", "", words, "", "```mermaid", "erDiagram", *lines, "```", ""])


def _index_overview(connection: psycopg.Connection[Any], tables: list[str], meaning: dict[str, str]) -> str:
    lines = ["## Indexes", "", "| table | index | on | serves |", "|---|---|---|---|"]
    for table in tables:
        is_rising = any("identity" in column for column in connection.execute(_COLUMNS, (table,)).fetchall())
        for index, unique, method, on, primary in connection.execute(_INDEXES, (table,)).fetchall():
            kind = "primary key, " if primary else "unique, " if unique else "BRIN, " if method == "brin" else ""
            serves = _served(index, on, primary, is_rising, meaning)
            lines.append(f"| {table} | {index} | {kind}`{_cell(on)}` | {_cell(serves.rstrip('.'))} |")
    return "\n".join([*lines, ""])


def _served(index: str, on: str, primary: bool, is_rising: bool, meaning: dict[str, str]) -> str:
    if primary and index not in meaning:
        first, _, others = on.strip("()").replace('"', "").partition(", ")
        if others:
            return f"One row by its key; all of one {first}, in the order of {others}"
        return "One row by its key; newest first" if is_rising else "One row by its key"
    assert meaning.get(index), f"schema.sql does not say, in a comment above it, which query {index} serves"
    return meaning[index]


def _table(connection: psycopg.Connection[Any], name: str, meaning: dict[str, str]) -> str:
    lines = [
        f"## {name}",
        "",
        meaning[name],
        "",
        "| column | type | null | default | meaning |",
        "|---|---|---|---|---|",
    ]
    for column, kind, null, default in connection.execute(_COLUMNS, (name,)).fetchall():
        shown = f"`{_cell(default)}`" if default else ""
        lines.append(
            f"| {column} | {kind} | {'yes' if null else ''} | {shown} | {_cell(meaning[f'{name}.{column}'])} |"
        )
    lines += ["", "Every row obeys:", ""]
    for check, definition in connection.execute(_CHECKS, (name,)).fetchall():
        lines.append(f"- {check}: `{definition.removeprefix('CHECK ')}`")
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the document."""
    folder = Path(tempfile.mkdtemp())
    with test_server(folder) as server:
        PATH.write_text(render(server.dsn(TEMPLATE)), encoding="utf-8")
    remove(folder)


if __name__ == "__main__":
    main()
